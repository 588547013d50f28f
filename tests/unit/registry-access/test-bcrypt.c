#include "registry/access/bcrypt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

/* Hashes of other programs: OpenWall's test vectors, Apache's htpasswd, Go's x/crypto. */
static const struct vector {
    const char *name, *password, *hash;
} vectors[] = {
    {"openwall a", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
    {"openwall a, two", "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"},
    {"openwall a, three", "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
    {"empty", "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"},
    {"y, bytes above 127", "\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},
    {"apache", "p\303\244ssw\303\266rd \346\227\245\346\234\254",
     "$2y$05$fSS5FpNkcFpu71mmAvsoMONrfZxmgnApSnMpbXMz3BKwAR5zoxfs2"},
};

static struct secbuf secret(const char *text)
{
    struct secbuf buf = {0};

    assert_int_equal(secbuf_append(&buf, text, strlen(text)), 0);
    return buf;
}

static int check(const char *password, const char *hash)
{
    CLEANUP(secbuf_done) struct secbuf buf = secret(password);

    return bcrypt_check(&buf, hash);
}

static void hashes_of_other_programs_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        unsigned cost = 0;

        assert_case(vectors[i].name,
                    bcrypt_parse(vectors[i].hash, BCRYPT_SIZE, &cost) == 0 && cost == 5);
        assert_case(vectors[i].name, check(vectors[i].password, vectors[i].hash) == 0);
        assert_case(vectors[i].name, check("another", vectors[i].hash) == BCRYPT_MISMATCH);
    }
}

/* registry:2 treats all kinds alike; libxcrypt emulates old bugs for $2x$ and $2a$. */
static void all_kinds_are_computed_alike(void **state)
{
    static const struct vector sensitive[] = {
        {"2a minds", "\xff\xff\xa3",
         "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"},
        {"2x minds", "\xff\xa3\x34\xff\xff\xff\xa3\x33\x34\x35",
         "$2y$05$/OK.fbVrR/bpIqNJ5ianF.gPP/PygDo6gMtKRc8N0kjNHj2ExpcIC"},
    };
    char hash[BCRYPT_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sensitive); i++)
        for (const char *kind = "abxy"; *kind; kind++) {
            snprintf(hash, sizeof(hash), "%s", sensitive[i].hash);
            hash[2] = *kind;
            assert_case(sensitive[i].name, check(sensitive[i].password, hash) == 0);
        }
}

/* The last character of the salt has four unused bits, which Go keeps unchanged. */
static void unused_bits_of_the_salt_are_not_compared(void **state)
{
    (void)state;
    assert_int_equal(check("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
                     0);
    assert_int_equal(check("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
                     0);
    assert_int_equal(check("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCB.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
                     BCRYPT_MISMATCH);
}

static void every_character_of_the_hash_counts(void **state)
{
    char hash[BCRYPT_SIZE + 1];

    (void)state;
    for (size_t i = 29; i < BCRYPT_SIZE; i++) {
        snprintf(hash, sizeof(hash), "%s", vectors[0].hash);
        hash[i] = hash[i] == 'A' ? 'B' : 'A';
        assert_int_equal(check("U*U", hash), BCRYPT_MISMATCH);
    }
}

static void a_new_hash_matches_only_its_password(void **state)
{
    CLEANUP(secbuf_done) struct secbuf password = secret("correct horse");
    char first[BCRYPT_SIZE + 1], second[BCRYPT_SIZE + 1];
    unsigned cost = 0;

    (void)state;
    assert_int_equal(bcrypt_make(&password, 4, first), 0);
    assert_int_equal(bcrypt_make(&password, 6, second), 0);
    assert_int_equal(strlen(first), BCRYPT_SIZE);
    assert_memory_equal(first, "$2y$04$", 7);
    assert_memory_equal(second, "$2y$06$", 7);
    assert_memory_not_equal(first + 7, second + 7, 22);
    assert_int_equal(bcrypt_parse(second, BCRYPT_SIZE, &cost), 0);
    assert_int_equal(cost, 6);
    assert_int_equal(check("correct horse", first), 0);
    assert_int_equal(check("correct horse", second), 0);
    assert_int_equal(check("correct hors", first), BCRYPT_MISMATCH);
    assert_int_equal(check("correct horse ", first), BCRYPT_MISMATCH);
}

static void only_the_first_72_bytes_of_a_password_count(void **state)
{
    static const size_t sizes[] = {71, 72, 73, 511, 512, 513, 5000};
    CLEANUP(secbuf_done) struct secbuf password = {0};
    char hash[BCRYPT_SIZE + 1], text[5001];

    (void)state;
    fill(text, 'x', 72);
    password = secret(text);
    assert_int_equal(bcrypt_make(&password, 4, hash), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        fill(text, 'x', sizes[i]);
        assert_int_equal(check(text, hash), sizes[i] < 72 ? BCRYPT_MISMATCH : 0);
    }
}

static void a_password_with_a_nul_never_matches(void **state)
{
    CLEANUP(secbuf_done) struct secbuf password = secret("U*U");
    char hash[BCRYPT_SIZE + 1];

    (void)state;
    assert_int_equal(bcrypt_check(&password, vectors[0].hash), 0);
    assert_int_equal(secbuf_append(&password, "", 1), 0);
    assert_int_equal(bcrypt_check(&password, vectors[0].hash), BCRYPT_MISMATCH);
    assert_int_equal(bcrypt_make(&password, 4, hash), -EINVAL);
}

static void an_empty_buffer_is_an_empty_password(void **state)
{
    const struct secbuf nothing = {0};

    (void)state;
    assert_int_equal(bcrypt_check(&nothing, vectors[3].hash), 0);
    assert_int_equal(bcrypt_check(&nothing, vectors[0].hash), BCRYPT_MISMATCH);
}

static void costs_out_of_range_are_refused(void **state)
{
    const struct secbuf nothing = {0};
    char hash[BCRYPT_SIZE + 1] = "untouched";

    (void)state;
    assert_int_equal(bcrypt_make(&nothing, 3, hash), -EINVAL);
    assert_int_equal(bcrypt_make(&nothing, 32, hash), -EINVAL);
    assert_string_equal(hash, "untouched");
}

static void dummy_work_is_possible_at_any_cost(void **state)
{
    CLEANUP(secbuf_done) struct secbuf password = secret("x");

    (void)state;
    for (unsigned cost = BCRYPT_COST_MIN; cost < 7; cost++)
        assert_int_equal(bcrypt_waste(&password, cost), 0);
}

#define TAIL "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

static const struct parsed {
    const char *text;
    int result;
    unsigned cost;
} parsed[] = {
    {"$2a$05$" TAIL, 0, 5},
    {"$2b$04$" TAIL, 0, 4},
    {"$2x$31$" TAIL, 0, 31},
    {"$2y$10$" TAIL, 0, 10},
    {"$2y$10$" TAIL ":more:fields", 0, 10},
    {"$2y$10$" TAIL "more", 0, 10},
    {"", -EINVAL, 0},
    {"$2y$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe", -EINVAL, 0},
    {"$2y$03$" TAIL, -EINVAL, 0},
    {"$2y$32$" TAIL, -EINVAL, 0},
    {"$2y$00$" TAIL, -EINVAL, 0},
    {"$2y$ 5$" TAIL, -EINVAL, 0},
    {"$2y$+5$" TAIL, -EINVAL, 0},
    {"$2y$5$" TAIL "C", -EINVAL, 0},
    {"$2y$105" TAIL, -EINVAL, 0},
    {"$2$10$" TAIL "C", -EINVAL, 0},
    {"$2z$10$" TAIL, -EINVAL, 0},
    {"$2Y$10$" TAIL, -EINVAL, 0},
    {"$1y$10$" TAIL, -EINVAL, 0},
    {" $2y$10$" TAIL, -EINVAL, 0},
    {"$2y$10$CCCCCCCCCCCCCCCCCCCC!.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", -EINVAL, 0},
    {"$2y$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe:", -EINVAL, 0},
    {"$apr1$TyXgrfV2$wVX2naLcJUcqnSmarl7lA1$aaaaaaaaaaaaaaaaaaaaaaa", -EINVAL, 0},
    {"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -EINVAL, 0},
};

static void only_bcrypt_hashes_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(parsed); i++) {
        size_t size = strlen(parsed[i].text);
        CLEANUP_FREE char *text = copy_exactly(parsed[i].text, size);
        unsigned cost = 0;

        assert_case(parsed[i].text, bcrypt_parse(text, size, &cost) == parsed[i].result);
        assert_case(parsed[i].text, cost == parsed[i].cost);
    }
}

/* The kind is looked up in a string, and the string's terminator must not match. */
static void a_nul_is_not_a_kind(void **state)
{
    char text[] = "$2y$10$" TAIL;
    unsigned cost;

    (void)state;
    text[2] = '\0';
    assert_int_equal(bcrypt_parse(text, BCRYPT_SIZE, &cost), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_other_programs_match),
        cmocka_unit_test(all_kinds_are_computed_alike),
        cmocka_unit_test(unused_bits_of_the_salt_are_not_compared),
        cmocka_unit_test(every_character_of_the_hash_counts),
        cmocka_unit_test(a_new_hash_matches_only_its_password),
        cmocka_unit_test(only_the_first_72_bytes_of_a_password_count),
        cmocka_unit_test(a_password_with_a_nul_never_matches),
        cmocka_unit_test(an_empty_buffer_is_an_empty_password),
        cmocka_unit_test(costs_out_of_range_are_refused),
        cmocka_unit_test(dummy_work_is_possible_at_any_cost),
        cmocka_unit_test(only_bcrypt_hashes_are_accepted),
        cmocka_unit_test(a_nul_is_not_a_kind),
    };

    return cmocka_run_group_tests_name("bcrypt", tests, NULL, NULL);
}
