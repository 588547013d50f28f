/*
 * OpenPGP messages: all results point into the input, and decryption with a wrong key returns nothing.
 */
#include "gpg/message.h"

#include "gpg/sealed.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static const uint8_t *input;
static size_t input_size;

static void check_inside(const struct bytes *bytes)
{
    REQUIRE(bytes->size == 0 || (bytes->data >= input && bytes->data + bytes->size <= input + input_size));
}

static void check_sealed(const struct packet *sealed)
{
    CLEANUP(session_key_done) struct session_key key = {.cipher = SESSION_AES128};
    CLEANUP(secbuf_done) struct secbuf content = {0}, joined = {0};

    REQUIRE(sealed->size <= input_size);
    if (secbuf_reserve(&joined, sealed->size) < 0 || secbuf_append(&key.key, "0123456789abcdef", 16) < 0)
        return;
    packet_join(sealed, joined.data);
    REQUIRE(sealed_open(sealed, &key, &content) < 0 && !content.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;

    input = data;
    input_size = size;
    fuzz_was_accepted = message_parse(data, size, &message) == 0;
    if (!fuzz_was_accepted)
        return 0;
    REQUIRE(message.key_count > 0 && message.key_count <= MESSAGE_MOST_KEYS);
    for (size_t i = 0; i < message.key_count; i++) {
        REQUIRE(message.keys[i].key_id != 0);
        check_inside(&message.keys[i].number);
        check_inside(&message.keys[i].counted);
    }
    check_sealed(&message.sealed);
    return 0;
}
