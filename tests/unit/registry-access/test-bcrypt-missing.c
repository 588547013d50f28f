/*
 * If the C library's crypt functions do not support bcrypt, this is an error and not a wrong
 * password.
 */
#include "registry/access/bcrypt.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static char failure[] = "*0";

/* These replace the library's functions. */
char *crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
    (void)phrase;
    (void)setting;
    (void)data;
    return failure;
}

#if HAVE_CRYPT_RN
char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
    (void)size;
    return crypt_r(phrase, setting, data);
}
#endif

static void missing_bcrypt_is_an_error_and_not_a_mismatch(void **state)
{
    static const char hash[] = "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq";
    CLEANUP(secbuf_done) struct secbuf password = {0};
    char made[BCRYPT_SIZE + 1];
    struct error err;

    (void)state;
    assert_int_equal(bcrypt_check(&password, hash), -ENOSYS);
    assert_int_equal(bcrypt_waste(&password, 5), -ENOSYS);
    assert_int_equal(bcrypt_make(&password, 5, made), -ENOSYS);
    assert_true(bcrypt_test(&err) < 0 && strstr(err.text, "libxcrypt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_bcrypt_is_an_error_and_not_a_mismatch),
    };

    return cmocka_run_group_tests_name("bcrypt-missing", tests, NULL, NULL);
}
