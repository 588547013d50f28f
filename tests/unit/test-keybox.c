/* gpg's keyring file, and the description of its keys in a prompt. */
#include "gpg/keybox.h"

#include <errno.h>
#include <string.h>

#include "gpg/key-description.h"
#include "gpg/message.h"
#include "tests/unit/check.h"
#include "tests/unit/openpgp-vectors.h"

static uint64_t id_of(const char *name)
{
    struct message message;
    size_t size;
    CLEANUP_FREE unsigned char *bytes = read_vector(name, "message", &size);

    assert_case(name, message_parse(bytes, size, &message) == 0);
    return message.keys[0].key_id;
}

static void every_key_is_found_and_described_as_gpg_does(void **state)
{
    size_t size, wanted_size;
    CLEANUP_FREE unsigned char *keyring = read_vector("keyring.kbx", NULL, &size);

    (void)state;
    for (const char *const *name = vector_keys; *name; name++) {
        CLEANUP_FREE unsigned char *wanted = read_vector(*name, "description", &wanted_size);
        CLEANUP(secbuf_done) struct secbuf description = {0};
        struct keybox_entry entry;

        assert_case(*name, keybox_find(keyring, size, id_of(*name), &entry) == 0 && entry.key_id == id_of(*name));
        assert_case(*name, key_description_append(&entry, &description) == 0 && description.size == wanted_size);
        assert_memory_equal(description.data, wanted, wanted_size);
    }
}

static void a_missing_key_is_not_found(void **state)
{
    size_t size;
    CLEANUP_FREE unsigned char *keyring = read_vector("keyring.kbx", NULL, &size);
    struct keybox_entry entry;

    (void)state;
    assert_int_equal(keybox_find(keyring, size, 1, &entry), -ENOENT);
    assert_int_equal(keybox_find(keyring, 32, id_of("cv25519"), &entry), -ENOENT); /* a new keyring: only the header */
}

static void a_duplicate_key_is_reported(void **state)
{
    size_t size;
    CLEANUP_FREE unsigned char *keyring = read_vector("keyring.kbx", NULL, &size);
    CLEANUP_FREE unsigned char *twice = malloc(2 * size - 32);
    struct keybox_entry entry;

    (void)state;
    memcpy(twice, keyring, size);
    memcpy(twice + size, keyring + 32, size - 32);
    assert_int_equal(keybox_find(twice, 2 * size - 32, id_of("cv25519"), &entry), -ENOTUNIQ);
    /* Deleted or ephemeral keys: gpg skips them. */
    twice[size + 4] = 0;
    assert_int_equal(keybox_find(twice, 2 * size - 32, id_of("cv25519"), &entry), 0);
    twice[size + 4] = 2;
    twice[size + 7] |= 2;
    assert_int_equal(keybox_find(twice, 2 * size - 32, id_of("cv25519"), &entry), 0);
}

static void a_signing_key_has_an_unknown_kind(void **state)
{
    size_t size;
    CLEANUP_FREE unsigned char *keyring = read_vector("keyring.kbx", NULL, &size);
    struct keybox_entry entry, primary;

    (void)state;
    assert_int_equal(keybox_find(keyring, size, id_of("cv25519"), &entry), 0);
    assert_int_equal(keybox_find(keyring, size, entry.primary_id, &primary), -ENOTSUP);
}

static void a_truncated_keyring_or_another_format_is_refused(void **state)
{
    size_t size;
    CLEANUP_FREE unsigned char *keyring = read_vector("keyring.kbx", NULL, &size);
    uint64_t key_id = id_of("rsa2048"); /* the last of them */
    struct keybox_entry entry;

    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *copy = copy_exactly(keyring, cut);
        int r = keybox_find(copy, cut, key_id, &entry);

        assert_true(r == -EBADMSG || r == -ENOENT);
        free(copy);
    }
    keyring[8] ^= 1;
    assert_int_equal(keybox_find(keyring, size, key_id, &entry), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_found_and_described_as_gpg_does),
        cmocka_unit_test(a_missing_key_is_not_found),
        cmocka_unit_test(a_duplicate_key_is_reported),
        cmocka_unit_test(a_signing_key_has_an_unknown_kind),
        cmocka_unit_test(a_truncated_keyring_or_another_format_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
