#include "registry/storage/s3/key-endpoint.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI="
#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="
#define METADATA "AWS_EC2_METADATA_SERVICE_ENDPOINT"

static void variables_say_which_endpoint(void **state)
{
    static const struct {
        const char *one, *two, *url, *header;
        enum key_endpoint_kind kind;
        unsigned port;
    } cases[] = {
        {"A=b", "C=d", "http://169.254.169.254", NULL, KEY_ENDPOINT_INSTANCE, 80},
        {METADATA "_MODE=ipv6", "C=d", "http://[fd00:ec2::254]", NULL, KEY_ENDPOINT_INSTANCE, 80},
        {METADATA "=http://127.0.0.1:81/", "C=d", "http://127.0.0.1:81", NULL,
         KEY_ENDPOINT_INSTANCE, 81},
        {RELATIVE "/v2/credentials/x", "AWS_EC2_METADATA_DISABLED=true",
         "http://169.254.170.2/v2/credentials/x", NULL, KEY_ENDPOINT_CONTAINER, 80},
        {RELATIVE "/x", FULL "https://keys.example/a?b=c", "https://keys.example/a?b=c", NULL,
         KEY_ENDPOINT_CONTAINER, 443},
        {FULL "http://127.5.6.7:8080/x", "C=d", "http://127.5.6.7:8080/x", "host: 127.5.6.7:8080",
         KEY_ENDPOINT_CONTAINER, 8080},
        {FULL "http://[::1]/x", "C=d", "http://[::1]:80/x", "host: [::1]", KEY_ENDPOINT_CONTAINER,
         80},
        {FULL "http://169.254.170.23/v1/credentials", "C=d",
         "http://169.254.170.23:80/v1/credentials", "host: 169.254.170.23", KEY_ENDPOINT_CONTAINER,
         80},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *environment[] = {cases[i].one, cases[i].two, NULL};
        struct key_endpoint *endpoint;
        struct error err = {0};

        if (key_endpoint_find(environment, &endpoint, &err) != 0)
            fail_msg("%s: %s", cases[i].one, err.text);
        assert_string_equal(endpoint->url, cases[i].url);
        assert_int_equal(endpoint->kind, cases[i].kind);
        assert_int_equal(endpoint->port, cases[i].port);
        assert_int_equal(endpoint->header != NULL, cases[i].header != NULL);
        if (cases[i].header)
            assert_string_equal(endpoint->header, cases[i].header);
        key_endpoint_free(endpoint);
    }
}

static void a_token_goes_to_near_hosts_only(void **state)
{
    static const char *const refused[] = {
        FULL "http://192.0.2.1/x",
        FULL "http://169.254.169.254/x",
        FULL "http://169.254.170.2@192.0.2.1/x",
        FULL "http://[2001:db8::1]/x",
        FULL "ftp://127.0.0.1/x",
        FULL "127.0.0.1/x",
        FULL "http://127.0.0.1:0/x",
        FULL "http://127.0.0.1:123456/x",
        FULL "http://127.0.0.1:80x/x",
        FULL "http://[::1/x",
        FULL "http:///x",
        FULL "http://127.0.0.1/a b",
        RELATIVE "x",
        RELATIVE "@192.0.2.1/",
        METADATA "=169.254.169.254",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        const char *environment[] = {refused[i], NULL};
        struct key_endpoint *endpoint;
        struct error err = {0};

        if (key_endpoint_find(environment, &endpoint, &err) != -EINVAL)
            fail_msg("%s is accepted", refused[i]);
        assert_says(&err, "AWS_");
    }
}

static void tokens_are_kept(void **state)
{
    const char *token[] = {RELATIVE "/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc", NULL};
    const char *file[] = {RELATIVE "/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc",
                          "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/run/token", NULL};
    struct key_endpoint *endpoint;
    struct error err = {0};

    (void)state;
    assert_int_equal(key_endpoint_find(token, &endpoint, &err), 0);
    assert_int_equal(endpoint->token.size, 9);
    assert_null(endpoint->token_file);
    key_endpoint_free(endpoint);
    assert_int_equal(key_endpoint_find(file, &endpoint, &err), 0);
    assert_int_equal(endpoint->token.size, 0);
    assert_string_equal(endpoint->token_file, "/run/token");
    key_endpoint_free(endpoint);
}

static void the_instance_can_be_disabled(void **state)
{
    const char *disabled[] = {"AWS_EC2_METADATA_DISABLED=TRUE", NULL};
    const char *new_only[] = {"AWS_EC2_METADATA_V1_DISABLED=true", NULL};
    struct key_endpoint *endpoint;
    struct error err = {0};

    (void)state;
    assert_int_equal(key_endpoint_find(disabled, &endpoint, &err), KEY_ENDPOINT_NONE);
    assert_int_equal(key_endpoint_find(new_only, &endpoint, &err), 0);
    assert_false(endpoint->has_old_form);
    key_endpoint_free(endpoint);
}

static void an_identity_needs_a_role(void **state)
{
    const char *right[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/t", "AWS_ROLE_ARN=arn:x", NULL};
    const char *without[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/t", NULL};
    const char *elsewhere[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/t", "AWS_ROLE_ARN=arn:x",
                               "AWS_ENDPOINT_URL_STS=http://127.0.0.1:9/", NULL};
    struct key_endpoint *endpoint;
    struct error err = {0};

    (void)state;
    assert_int_equal(key_endpoint_find_identity(NULL, "r", &endpoint, &err), KEY_ENDPOINT_NONE);
    assert_int_equal(key_endpoint_find_identity(without, "r", &endpoint, &err), -EINVAL);
    assert_says(&err, "needs AWS_ROLE_ARN");
    assert_int_equal(key_endpoint_find_identity(right, "cn-north-1", &endpoint, &err), 0);
    assert_string_equal(endpoint->url, "https://sts.cn-north-1.amazonaws.com.cn");
    assert_string_equal(endpoint->session, "registryd");
    key_endpoint_free(endpoint);
    assert_int_equal(key_endpoint_find_identity(elsewhere, "r", &endpoint, &err), 0);
    assert_int_equal(endpoint->port, 9);
    key_endpoint_free(endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_say_which_endpoint),
        cmocka_unit_test(a_token_goes_to_near_hosts_only),
        cmocka_unit_test(tokens_are_kept),
        cmocka_unit_test(the_instance_can_be_disabled),
        cmocka_unit_test(an_identity_needs_a_role),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
