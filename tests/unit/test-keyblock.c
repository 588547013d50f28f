/* A keyblock gives the same information about a key as the keybox. */
#include "gpg/keyblock.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/openpgp-vectors.h"

enum { HEADER_SIZE = 32, MOST_BLOCKS = 8 };

/* The keyblocks in a keybox: each blob contains the offset of its packets. */
struct keyring {
    unsigned char *bytes;
    size_t size, count;
    struct bytes blocks[MOST_BLOCKS];
    uint64_t ids[MOST_BLOCKS]; /* of the encryption subkeys */
};

static size_t read_32(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static struct keyring open_keyring(void)
{
    struct keyring keyring = {0};

    keyring.bytes = read_vector("keyring.kbx", NULL, &keyring.size);
    for (size_t at = HEADER_SIZE; at < keyring.size && keyring.count < MOST_BLOCKS; keyring.count++) {
        const unsigned char *blob = keyring.bytes + at, *second = blob + 20 + 28 + 20 - 8;

        keyring.blocks[keyring.count] = (struct bytes){blob + read_32(blob + 8), read_32(blob + 12)};
        keyring.ids[keyring.count] = (uint64_t)read_32(second) << 32 | read_32(second + 4);
        at += read_32(blob);
    }
    assert_true(keyring.count > 3);
    return keyring;
}

static void every_key_is_as_in_the_keybox(void **state)
{
    struct keyring keyring = open_keyring();

    (void)state;
    for (size_t i = 0; i < keyring.count; i++) {
        CLEANUP_FREE unsigned char *block = (unsigned char *)copy_exactly((const char *)keyring.blocks[i].data, keyring.blocks[i].size);
        struct keybox_entry found, wanted;

        assert_int_equal(keybox_find(keyring.bytes, keyring.size, keyring.ids[i], &wanted), 0);
        assert_int_equal(keyblock_find(block, keyring.blocks[i].size, keyring.ids[i], &found), 0);
        assert_true(found.key_id == wanted.key_id && found.primary_id == wanted.primary_id);
        assert_memory_equal(found.fingerprint, wanted.fingerprint, FINGERPRINT_SIZE);
        assert_int_equal(found.user_id.size, wanted.user_id.size);
        assert_memory_equal(found.user_id.data, wanted.user_id.data, wanted.user_id.size);
        assert_int_equal(found.key.packet.size, wanted.key.packet.size);
        assert_memory_equal(found.key.packet.data, wanted.key.packet.data, wanted.key.packet.size);
        assert_int_equal(keyblock_find(block, keyring.blocks[i].size, 1, &found), -ENOENT);
    }
    free(keyring.bytes);
}

static void a_truncated_block_has_no_key(void **state)
{
    struct keyring keyring = open_keyring();
    struct keybox_entry entry;

    (void)state;
    for (size_t size = 0; size < keyring.blocks[0].size / 2; size++) {
        CLEANUP_FREE unsigned char *block = (unsigned char *)copy_exactly((const char *)keyring.blocks[0].data, size);

        assert_true(keyblock_find(block, size, keyring.ids[0], &entry) < 0);
    }
    free(keyring.bytes);
}

static void two_keys_in_a_block_are_refused(void **state)
{
    struct keyring keyring = open_keyring();
    size_t size = keyring.blocks[0].size;
    CLEANUP_FREE unsigned char *twice = malloc(2 * size);
    struct keybox_entry entry;

    (void)state;
    assert_non_null(twice);
    memcpy(twice, keyring.blocks[0].data, size);
    memcpy(twice + size, keyring.blocks[0].data, size);
    assert_int_equal(keyblock_find(twice, 2 * size, keyring.ids[0], &entry), -EBADMSG);
    free(keyring.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_as_in_the_keybox),
        cmocka_unit_test(a_truncated_block_has_no_key),
        cmocka_unit_test(two_keys_in_a_block_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
