#include "registry/spec/basic.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static int parse(const char *header, struct secbuf *ret_user, struct secbuf *ret_password)
{
    size_t size = strlen(header);
    CLEANUP_FREE char *copy = copy_exactly(header, size);

    return basic_parse(copy, size, ret_user, ret_password);
}

static void users_and_passwords_are_read(void **state)
{
    static const struct { const char *header, *user, *password; } cases[] = {
        {"Basic dXNlcjpwYXNz", "user", "pass"},
        {"basic dXNlcjpwYXNz", "user", "pass"},
        {"BASIC dXNlcjpwYXNz", "user", "pass"},
        {"Basic   dXNlcjpwYXNz  ", "user", "pass"},
        {"Basic dXNlcjo=", "user", ""},
        {"Basic OnBhc3M=", "", "pass"},
        {"Basic Og==", "", ""},
        {"Basic dTphOmI6Yw==", "u", "a:b:c"},
        {"Basic dTo6", "u", ":"},
        {"Basic dTrDqT/Cv8O/", "u", "\xC3\xA9?\xC2\xBF\xC3\xBF"},
        {"Basic dTr7/w==", "u", "\xFB\xFF"},
        {"Basic dTr++w==", "u", "\xFE\xFB"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(secbuf_done) struct secbuf user = {0}, password = {0};

        assert_case(cases[i].header, parse(cases[i].header, &user, &password) == 0);
        assert_non_null(user.data);
        assert_non_null(password.data);
        check_holds(&user, cases[i].user, strlen(cases[i].user), __FILE__, __LINE__);
        check_holds(&password, cases[i].password, strlen(cases[i].password), __FILE__, __LINE__);
    }
}

static void nuls_are_kept(void **state)
{
    CLEANUP(secbuf_done) struct secbuf user = {0}, password = {0};

    (void)state;
    assert_int_equal(parse("Basic dQB1OnAAcA==", &user, &password), 0);
    assert_holds(&user, "u\0u");
    assert_holds(&password, "p\0p");
}

static void invalid_credentials_are_refused(void **state)
{
    static const struct { const char *header; int expected; } cases[] = {
        {"", BASIC_ABSENT},
        {"Bearer x", BASIC_ABSENT},
        {"Basi", BASIC_ABSENT},
        {"Basically dXNlcjpwYXNz", BASIC_ABSENT},
        {"Basic:dXNlcjpwYXNz", BASIC_ABSENT},
        {" Basic dXNlcjpwYXNz", BASIC_ABSENT},
        {"Digest dXNlcjpwYXNz", BASIC_ABSENT},
        {"Basic", -EINVAL},
        {"Basic ", -EINVAL},
        {"Basic !!!", -EINVAL},
        {"Basic dXNlcg==", -EINVAL},      /* no colon */
        {"Basic dXNlcjpwYXNzMQ", -EINVAL}, /* no padding */
        {"Basic dXNlcjpwYXNzMQ=", -EINVAL},
        {"Basic dXNlcjpwYXNz=", -EINVAL},
        {"Basic dTr7_w==", -EINVAL}, /* the URL alphabet */
        {"Basic dTr--w==", -EINVAL},
        {"Basic dTr7/x==", -EINVAL}, /* unused bits are set */
        {"Basic dXNl cjpwYXNz", -EINVAL},
        {"Basic dXNlcjpwYXNz, Basic dXNlcjpwYXNz", -EINVAL},
        {"Basic user:pass", -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(secbuf_done) struct secbuf user = {0}, password = {0};

        assert_case(cases[i].header, parse(cases[i].header, &user, &password) == cases[i].expected);
        assert_null(user.data);
        assert_null(password.data);
    }
}

static void the_longest_has_eight_kibibytes(void **state)
{
    static char header[BASIC_MAX_SIZE + 32];
    CLEANUP(secbuf_done) struct secbuf user = {0}, password = {0};

    (void)state;
    memcpy(header, "Basic dTpw", 10);
    fill(header + 10, 'A', BASIC_MAX_SIZE - 4);
    assert_int_equal(parse(header, &user, &password), 0);
    assert_int_equal(password.size, BASIC_MAX_SIZE / 4 * 3 - 2);
    fill(header + 10, 'A', BASIC_MAX_SIZE);
    assert_int_equal(parse(header, &user, &password), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_and_passwords_are_read),
        cmocka_unit_test(nuls_are_kept),
        cmocka_unit_test(invalid_credentials_are_refused),
        cmocka_unit_test(the_longest_has_eight_kibibytes),
    };

    return cmocka_run_group_tests_name("basic", tests, NULL, NULL);
}
