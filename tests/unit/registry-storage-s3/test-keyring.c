#include "registry/storage/s3/keyring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static const char file_text[] = "# of the team\r\n"
                                "[default]\r\n"
                                "aws_access_key_id = AKFILE\r\n"
                                "aws_secret_access_key=se=cret+/\r\n"
                                "region = us-east-1\r\n"
                                "\n"
                                "[ ci ]\n"
                                "  aws_access_key_id=AKCI\n"
                                "; aws_session_token=old\n"
                                "aws_secret_access_key = other\n"
                                "aws_session_token = to/ken=\n"
                                "[broken]\n"
                                "aws_access_key_id=AKBROKEN\n"
                                "[odd]\n"
                                "aws_access_key_id=AK/ODD\n"
                                "aws_secret_access_key=x";

static struct secbuf secret, token;

static int open_keys(const char *access, const char *const *environment, struct keyring **ret,
                     struct error *err)
{
    const struct keyring_options options = {
        .access = access, .secret = &secret, .token = &token, .environment = environment};

    return keyring_new(&options, ret, err);
}

static void check_keys(const char *access, const char *const *environment, const char *expected)
{
    struct keyring *keyring = NULL;
    struct error err = {0};
    struct keys *keys = NULL;
    char text[256];

    if (open_keys(access, environment, &keyring, &err) < 0 || keyring_start(keyring, &err) < 0 ||
        keyring_get(keyring, &keys, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(text, sizeof(text), "%s %.*s %.*s %s", keys->access, (int)keys->secret.size,
             (const char *)keys->secret.data, (int)keys->token.size,
             (const char *)keys->token.data, keyring_get_origin(keyring));
    assert_string_equal(text, expected);
    assert_null(keyring_get_endpoint(keyring));
    assert_int_equal(keyring_renew(keyring, keys, &err), KEYRING_FIXED);
    keyring_put(keys);
    keyring_free(keyring);
}

static void the_configuration_comes_first(void **state)
{
    const char *environment[] = {"AWS_ACCESS_KEY_ID=AKENV", "AWS_SECRET_ACCESS_KEY=env", NULL};

    (void)state;
    assert_int_equal(secbuf_append(&secret, "conf", 4), 0);
    check_keys("AKCONF", environment, "AKCONF conf  the configuration");
    assert_int_equal(secbuf_append(&token, "tok", 3), 0);
    check_keys("AKCONF", environment, "AKCONF conf tok the configuration");
    secbuf_done(&secret);
    secbuf_done(&token);
    check_keys(NULL, environment, "AKENV env  the environment");
    check_keys("", environment, "AKENV env  the environment");
}

static void the_environment_is_complete_or_wrong(void **state)
{
    const char *all[] = {"AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t",
                         NULL};
    const char *without_secret[] = {"AWS_ACCESS_KEY_ID=AK", NULL};
    struct keyring *keyring;
    struct error err = {0};

    (void)state;
    check_keys(NULL, all, "AK s t the environment");
    assert_int_equal(open_keys(NULL, without_secret, &keyring, &err), -EINVAL);
    assert_string_equal(err.text, "the environment: the access key has no secret key");
}

static void profiles_of_the_file_are_found(void **state)
{
    const char *at_home[] = {"HOME=home", NULL};
    const char *ci[] = {"HOME=nowhere", "AWS_SHARED_CREDENTIALS_FILE=home/.aws/credentials",
                        "AWS_PROFILE=ci", NULL};

    (void)state;
    make_file("home/.aws/credentials", file_text);
    check_keys(NULL, at_home, "AKFILE se=cret+/  home/.aws/credentials");
    check_keys(NULL, ci, "AKCI other to/ken= home/.aws/credentials");
}

static void what_is_wrong_is_refused_without_a_secret(void **state)
{
    static const struct {
        const char *profile, *says;
        int result;
    } cases[] = {
        {"AWS_PROFILE=broken", "home/.aws/credentials: the access key has no secret key", -EINVAL},
        {"AWS_PROFILE=odd", "home/.aws/credentials: invalid name of an access key", -EINVAL},
        {"AWS_PROFILE=missing", "there are no keys for the bucket: set storage.s3.accesskey",
         -ENOENT},
        {"HOME=nowhere", "write the profile default into nowhere/.aws/credentials", -ENOENT},
        {"AWS_SHARED_CREDENTIALS_FILE=home", "cannot read the credentials file home: ", -EINVAL},
    };

    (void)state;
    make_file("home/.aws/credentials", file_text);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *environment[] = {cases[i].profile, "HOME=home",
                                     "AWS_EC2_METADATA_DISABLED=True", NULL};
        struct keyring *keyring;
        struct error err = {0};

        assert_int_equal(open_keys(NULL, environment, &keyring, &err), cases[i].result);
        assert_says(&err, cases[i].says);
    }
}

static void a_secret_without_a_name_is_refused(void **state)
{
    struct keyring *keyring;
    struct error err = {0};
    int r;

    (void)state;
    assert_int_equal(secbuf_append(&secret, "conf", 4), 0);
    r = open_keys(NULL, NULL, &keyring, &err);
    secbuf_done(&secret);
    assert_int_equal(r, -EINVAL);
    assert_says(&err, "but no access key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(the_configuration_comes_first),
        scratch_test(the_environment_is_complete_or_wrong),
        scratch_test(profiles_of_the_file_are_found),
        scratch_test(what_is_wrong_is_refused_without_a_secret),
        scratch_test(a_secret_without_a_name_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
