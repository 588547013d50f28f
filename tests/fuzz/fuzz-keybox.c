/*
 * gpg's keyring file, after 8 bytes with the key id to search for: a found key has that id, and is entirely within the
 * input.
 */
#include "gpg/keybox.h"

#include <string.h>

#include "gpg/key-description.h"
#include "gpg/keygrip.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static uint64_t read_64(const uint8_t *at)
{
    uint64_t number = 0;

    for (size_t i = 0; i < 8; i++)
        number = number << 8 | at[i];
    return number;
}

static void check_inside(const struct bytes *bytes, const uint8_t *data, size_t size)
{
    REQUIRE(bytes->size == 0 || (bytes->data >= data && bytes->data + bytes->size <= data + size));
}

static void check_entry(const struct keybox_entry *entry, const uint8_t *data, size_t size)
{
    CLEANUP(secbuf_done) struct secbuf description = {0};
    unsigned char hash[FINGERPRINT_SIZE];

    REQUIRE(entry->key_id == read_64(entry->fingerprint + 12));
    REQUIRE((entry->key.algorithm == PUBLIC_KEY_RSA) == !entry->key.curve);
    check_inside(&entry->user_id, data, size);
    check_inside(&entry->key.packet, data, size);
    check_inside(&entry->key.n, data, size);
    check_inside(&entry->key.e, data, size);
    check_inside(&entry->key.point, data, size);
    REQUIRE(key_description_append(entry, &description) == 0);
    REQUIRE(!memchr(description.data, '\n', description.size));
    REQUIRE(public_key_fingerprint(&entry->key, hash) <= 0 && public_key_keygrip(&entry->key, hash) <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keybox_entry entry;

    fuzz_was_accepted = size >= 8 && keybox_find(data + 8, size - 8, read_64(data), &entry) == 0;
    if (fuzz_was_accepted) {
        REQUIRE(entry.key_id == read_64(data));
        check_entry(&entry, data + 8, size - 8);
    }
    return 0;
}
