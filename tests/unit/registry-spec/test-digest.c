#include "common/digest.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

/* FIPS 180-4's examples. */
#define SHA256_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA256_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA512_ABC                                                                                 \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe" \
    "ebbd454d4423643ce80e"                                                                         \
    "2a9ac94fa54ca49f"
#define SHA256_MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static int parse(const char *text, struct digest *ret)
{
    size_t size = strlen(text);
    CLEANUP_FREE char *copy = copy_exactly(text, size);

    return digest_parse(copy, size, ret);
}

static void digests_are_read_and_written(void **state)
{
    static const char *const texts[] = {"sha256:" SHA256_ABC, "sha256:" SHA256_EMPTY,
                                        "sha512:" SHA512_ABC};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct digest digest;
        char text[DIGEST_TEXT_SIZE];

        assert_case(texts[i], parse(texts[i], &digest) == 0);
        assert_string_equal(digest.hex, strchr(texts[i], ':') + 1);
        digest_format(&digest, text);
        assert_string_equal(text, texts[i]);
    }
}

static void invalid_digests_are_refused(void **state)
{
    static const struct {
        const char *text;
        int expected;
    } cases[] = {
        {"", -EINVAL},
        {":", -EINVAL},
        {"sha256", -EINVAL},
        {"sha256:", -EINVAL},
        {":abc", -EINVAL},
        {"sha256:abc", -EINVAL},
        {"sha256:baddigeststring", -EINVAL},
        {"sha256:" SHA256_ABC "0", -EINVAL},
        {"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", -EINVAL},
        {"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", -EINVAL},
        {"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a/", -EINVAL},
        {"SHA256:" SHA256_ABC, -EINVAL},
        {"sha512:" SHA256_ABC, -EINVAL},
        {"sha256:" SHA512_ABC, -EINVAL},
        {" sha256:" SHA256_ABC, -EINVAL},
        {"sha256:" SHA256_ABC " ", -EINVAL},
        {"md5:d41d8cd98f00b204e9800998ecf8427e", -ENOTSUP},
        {"sha384:abc", -ENOTSUP},
        {"a+b.c_d-e:A=_-9", -ENOTSUP},
        {"+a:b", -EINVAL},
        {"a+:b", -EINVAL},
        {"a++b:c", -EINVAL},
        {"md5:", -EINVAL},
        {"md5:a:b", -EINVAL},
        {"md5:a/b", -EINVAL},
        {"../x:a", -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct digest digest = {.hex = "untouched"};

        assert_case(cases[i].text, parse(cases[i].text, &digest) == cases[i].expected);
        assert_string_equal(digest.hex, "untouched");
    }
}

static void a_nul_does_not_end_a_digest(void **state)
{
    struct digest digest;

    (void)state;
    assert_int_equal(digest_parse("sha256:" SHA256_ABC "\0", 7 + 64 + 1, &digest), -EINVAL);
    assert_int_equal(digest_parse("\0sha256:a", 9, &digest), -EINVAL);
    assert_int_equal(digest_parse("md5:a\0", 6, &digest), -EINVAL);
    assert_int_equal(digest_parse(NULL, 0, &digest), -EINVAL);
}

static void algorithms_have_names_and_sizes(void **state)
{
    enum digest_algorithm algorithm;

    (void)state;
    assert_string_equal(digest_algorithm_name(DIGEST_SHA256), "sha256");
    assert_string_equal(digest_algorithm_name(DIGEST_SHA512), "sha512");
    assert_int_equal(digest_hex_size(DIGEST_SHA256), 64);
    assert_int_equal(digest_hex_size(DIGEST_SHA512), 128);
    assert_int_equal(digest_algorithm_parse("sha512", 6, &algorithm), 0);
    assert_int_equal(algorithm, DIGEST_SHA512);
    assert_int_equal(digest_algorithm_parse("sha25", 5, &algorithm), -ENOTSUP);
    assert_int_equal(digest_algorithm_parse("sha2567", 7, &algorithm), -ENOTSUP);
    assert_int_equal(digest_algorithm_parse("", 0, &algorithm), -ENOTSUP);
}

static void digests_are_equal_if_both_parts_are(void **state)
{
    struct digest a, b;

    (void)state;
    assert_int_equal(parse("sha256:" SHA256_ABC, &a), 0);
    b = a;
    assert_true(digest_is_equal(&a, &b));
    b.hex[63] ^= 1;
    assert_false(digest_is_equal(&a, &b));
    assert_int_equal(parse("sha512:" SHA512_ABC, &b), 0);
    assert_false(digest_is_equal(&a, &b));
    assert_int_equal(parse("sha512:" SHA512_ABC, &a), 0);
    assert_true(digest_is_equal(&a, &b));
    a.hex[127] ^= 1;
    assert_false(digest_is_equal(&a, &b));
}

static void known_bytes_have_known_digests(void **state)
{
    struct digest digest;

    (void)state;
    assert_int_equal(digest_of(DIGEST_SHA256, "abc", 3, &digest), 0);
    assert_string_equal(digest.hex, SHA256_ABC);
    assert_int_equal(digest_of(DIGEST_SHA512, "abc", 3, &digest), 0);
    assert_string_equal(digest.hex, SHA512_ABC);
    assert_int_equal(digest.algorithm, DIGEST_SHA512);
    assert_int_equal(digest_of(DIGEST_SHA256, NULL, 0, &digest), 0);
    assert_string_equal(digest.hex, SHA256_EMPTY);
}

static void hashing_continues_after_a_peek(void **state)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    struct digest digest;

    (void)state;
    assert_int_equal(hasher_new(DIGEST_SHA256, &hasher), 0);
    hasher_get(hasher, &digest);
    assert_string_equal(digest.hex, SHA256_EMPTY);
    hasher_write(hasher, "ab", 2);
    hasher_get(hasher, &digest);
    hasher_write(hasher, "", 0);
    hasher_write(hasher, "c", 1);
    hasher_get(hasher, &digest);
    assert_string_equal(digest.hex, SHA256_ABC);
    hasher_get(hasher, &digest);
    assert_string_equal(digest.hex, SHA256_ABC);
}

static void *hash_a_million(void *argument)
{
    struct hasher *hasher = NULL;
    struct digest *ret = argument;
    char block[1000];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = 'a';
    if (hasher_new(DIGEST_SHA256, &hasher) < 0)
        return NULL;
    for (int i = 0; i < 1000; i++)
        hasher_write(hasher, block, sizeof(block));
    hasher_get(hasher, ret);
    hasher_free(hasher);
    return NULL;
}

static void threads_can_hash_concurrently(void **state)
{
    pthread_t threads[8];
    struct digest digests[8] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_a_million, &digests[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_string_equal(digests[i].hex, SHA256_MILLION_A);
    }
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    hasher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            threads_can_hash_concurrently), /* first, so that the threads initialise libgcrypt */
        cmocka_unit_test(digests_are_read_and_written),
        cmocka_unit_test(invalid_digests_are_refused),
        cmocka_unit_test(a_nul_does_not_end_a_digest),
        cmocka_unit_test(algorithms_have_names_and_sizes),
        cmocka_unit_test(digests_are_equal_if_both_parts_are),
        cmocka_unit_test(known_bytes_have_known_digests),
        cmocka_unit_test(hashing_continues_after_a_peek),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
