/* From a message and gpg-agent's answer to the plaintext: known answers from gpg, and damaged input. */
#include "gpg/session-key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gpg/keybox.h"
#include "gpg/keygrip.h"
#include "gpg/literal.h"
#include "gpg/sealed.h"
#include "tests/unit/check.h"
#include "tests/unit/openpgp-vectors.h"

/* A key of the vectors with its files. */
struct vector {
    unsigned char *keyring, *bytes, *value_bytes;
    size_t keyring_size, size;
    struct message message;
    struct keybox_entry entry;
    unsigned char fingerprint[FINGERPRINT_SIZE];
    struct secbuf value;
};

static void load(const char *name, struct vector *ret)
{
    size_t size;

    *ret = (struct vector){0};
    ret->keyring = read_vector("keyring.kbx", NULL, &ret->keyring_size);
    ret->bytes = read_vector(name, "message", &ret->size);
    ret->value_bytes = read_vector(name, "value", &size);
    assert_case(name, secbuf_append(&ret->value, ret->value_bytes, size) == 0);
    assert_case(name, message_parse(ret->bytes, ret->size, &ret->message) == 0 && ret->message.key_count == 1);
    assert_case(name, keybox_find(ret->keyring, ret->keyring_size, ret->message.keys[0].key_id, &ret->entry) == 0);
    assert_case(name, public_key_fingerprint(&ret->entry.key, ret->fingerprint) == 0);
    assert_case(name, memcmp(ret->fingerprint, ret->entry.fingerprint, FINGERPRINT_SIZE) == 0);
}

static void vector_done(struct vector *vector)
{
    free(vector->keyring);
    free(vector->bytes);
    free(vector->value_bytes);
    secbuf_done(&vector->value);
}

static int find_session_key(const struct vector *vector, struct session_key *ret)
{
    const struct session_packet *session = &vector->message.keys[0];
    struct bytes wrapped;

    if (session->algorithm == PUBLIC_KEY_RSA)
        return session_key_from_rsa(&vector->value, true, ret);
    wrapped = (struct bytes){session->counted.data + 1, session->counted.size - 1};
    return session_key_from_ecdh(&vector->value, &vector->entry.key, vector->fingerprint, &wrapped, ret);
}

static void gpgs_messages_are_read(void **state)
{
    (void)state;
    for (const char *const *name = vector_keys; *name; name++) {
        CLEANUP(vector_done) struct vector vector;
        CLEANUP(session_key_done) struct session_key key = {0};
        CLEANUP(secbuf_done) struct secbuf content = {0}, plain = {0};
        char wanted[64];

        load(*name, &vector);
        snprintf(wanted, sizeof(wanted), "known plaintext of %s", *name);
        assert_case(*name, find_session_key(&vector, &key) == 0 && key.key.size == 32 && key.cipher == SESSION_AES256);
        assert_case(*name, sealed_open(&vector.message.sealed, &key, &content) == 0);
        assert_case(*name, literal_append(&content, strlen(wanted) - 1, &plain) == -EFBIG && plain.size == 0);
        assert_case(*name, literal_append(&content, strlen(wanted), &plain) == 0);
        assert_case(*name, plain.size == strlen(wanted) && memcmp(plain.data, wanted, plain.size) == 0);
    }
}

static void keygrips_are_gpgs(void **state)
{
    (void)state;
    for (const char *const *name = vector_keys; *name; name++) {
        CLEANUP(vector_done) struct vector vector;
        CLEANUP_FREE unsigned char *wanted = NULL;
        unsigned char keygrip[KEYGRIP_SIZE];
        char text[2 * KEYGRIP_SIZE + 1];
        size_t size;

        load(*name, &vector);
        wanted = read_vector(*name, "keygrip", &size);
        assert_case(*name, public_key_keygrip(&vector.entry.key, keygrip) == 0);
        for (size_t i = 0; i < KEYGRIP_SIZE; i++)
            snprintf(text + 2 * i, 3, "%02X", keygrip[i]);
        assert_string_equal(text, (char *)wanted);
    }
}

static void a_changed_value_gives_no_session_key(void **state)
{
    (void)state;
    for (const char *const *name = vector_keys; *name; name++) {
        CLEANUP(vector_done) struct vector vector;
        bool is_rsa;

        load(*name, &vector);
        is_rsa = vector.message.keys[0].algorithm == PUBLIC_KEY_RSA;
        for (size_t i = 0; i < vector.value.size; i++) {
            CLEANUP(session_key_done) struct session_key key = {0};
            /* RSA padding may have any nonzero bytes, and the y coordinate of NIST points is not used. */
            bool matters = is_rsa ? i == 0 || i > vector.value.size - 36 : i <= vector.entry.key.curve->coordinate_size;

            vector.value.data[i] ^= 0x11;
            assert_case(*name, (find_session_key(&vector, &key) < 0) || !matters);
            vector.value.data[i] ^= 0x11;
        }
        for (size_t size = vector.value.size; size-- > 0;) {
            CLEANUP(session_key_done) struct session_key key = {0};

            vector.value.size = size;
            assert_case(*name, find_session_key(&vector, &key) < 0 && key.key.size == 0);
        }
    }
}

static void a_changed_byte_opens_nothing(void **state)
{
    CLEANUP(vector_done) struct vector vector;
    CLEANUP(session_key_done) struct session_key key = {0};
    unsigned char *body;

    (void)state;
    load("cv25519", &vector);
    assert_int_equal(find_session_key(&vector, &key), 0);
    body = vector.bytes + (vector.message.sealed.body - vector.bytes);
    for (size_t i = 0; i < vector.message.sealed.size; i++) {
        CLEANUP(secbuf_done) struct secbuf content = {0};

        body[i] ^= 1;
        assert_true(sealed_open(&vector.message.sealed, &key, &content) < 0);
        assert_null(content.data);
        body[i] ^= 1;
    }
    key.key.data[5] ^= 1;
    for (; vector.message.sealed.size > 0; vector.message.sealed.size--) {
        CLEANUP(secbuf_done) struct secbuf content = {0};

        assert_true(sealed_open(&vector.message.sealed, &key, &content) < 0);
    }
}

/* Cipher, key and checksum (RFC 4880, section 5.1), plain or padded (section 13.1.1). */
static void frames_must_have_the_right_format(void **state)
{
    static const struct { const char *name, *value; size_t size; bool has_padding; int wanted; } cases[] = {
        {"a card's answer", "\x07" "0123456789abcdef" "\x04\x62", 19, false, 0},
        {"a wrong sum", "\x07" "0123456789abcdef" "\x03\x6D", 19, false, -EBADMSG},
        {"another cipher", "\x02" "0123456789abcdef" "\x04\x62", 19, false, -ENOTSUP},
        {"a byte too many", "\x07" "0123456789abcdef" "\x04\x62\0", 20, false, -EBADMSG},
        {"nothing", "", 0, false, -ENOTSUP},
        {"padded", "\x02" "paddings\0" "\x07" "0123456789abcdef" "\x04\x62", 29, true, 0},
        {"padded, with the zero before it", "\0\x02" "paddings\0" "\x07" "0123456789abcdef" "\x04\x62", 30, true, 0},
        {"too little padding", "\x02" "padding\0" "\x07" "0123456789abcdef" "\x04\x62", 28, true, -EBADMSG},
        {"a signature's padding", "\x01" "paddings\0" "\x07" "0123456789abcdef" "\x04\x62", 29, true, -EBADMSG},
        {"padding without end", "\x02" "paddings", 9, true, -EBADMSG},
        {"padding and nothing", "\x02" "paddings\0", 10, true, -ENOTSUP},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(session_key_done) struct session_key key = {0};
        CLEANUP(secbuf_done) struct secbuf value = {0};

        assert_case(cases[i].name, secbuf_append(&value, cases[i].value, cases[i].size) == 0);
        assert_case(cases[i].name, session_key_from_rsa(&value, cases[i].has_padding, &key) == cases[i].wanted);
        assert_case(cases[i].name, key.key.size == (cases[i].wanted ? 0 : 16));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpgs_messages_are_read),
        cmocka_unit_test(keygrips_are_gpgs),
        cmocka_unit_test(a_changed_value_gives_no_session_key),
        cmocka_unit_test(a_changed_byte_opens_nothing),
        cmocka_unit_test(frames_must_have_the_right_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
