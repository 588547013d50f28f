/* The answers of the endpoints, in JSON and XML. */
#include "registry/storage/s3/key-answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/storage/s3/identity-answer.h"
#include "registry/storage/s3/xml.h"
#include "tests/unit/check.h"

#define LATER "2999-01-01T00:00:00Z"

static struct piece piece_of(const char *text)
{
    return (struct piece){text, strlen(text)};
}

static void check(const struct keys *keys, const char *expected)
{
    char text[256];

    snprintf(text, sizeof(text), "%s %.*s %.*s %lld", keys->access, (int)keys->secret.size,
             (const char *)keys->secret.data, (int)keys->token.size,
             (const char *)keys->token.data, (long long)keys->expires_s);
    assert_string_equal(text, expected);
}

static void right_answers_are_read(void **state)
{
    static const struct {
        const char *answer, *expected;
    } cases[] = {
        {"{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIA1\","
         "\"SecretAccessKey\":\"se/cret+\",\"Token\":\"to=ken\",\"Expiration\":\"" LATER "\"}",
         "ASIA1 se/cret+ to=ken 32472144000"},
        {" {\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"s\",\"Expiration\":"
         "\"2999-01-01T00:00:00.123456Z\"}\n",
         "AK s  32472144000"},
        {"{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"s\",\"Token\":null}", "AK s  0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {0};
        struct keys *keys;

        if (key_answer_parse(piece_of(cases[i].answer), "origin", &keys, &err) < 0)
            fail_msg("%zu: %s", i, err.text);
        check(keys, cases[i].expected);
        keys_drop(keys);
    }
}

static void wrong_answers_are_refused_without_a_secret(void **state)
{
    static const struct {
        const char *answer, *says;
    } cases[] = {
        {"", "not a JSON object"},
        {"{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"sEcReT", "not a JSON object"},
        {"[\"sEcReT\"]", "not a JSON object"},
        {"{}", "invalid name of an access key"},
        {"{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":17}", "has no secret key"},
        {"{\"AccessKeyId\":\"A K\",\"SecretAccessKey\":\"sEcReT\"}", "invalid name of an access key"},
        {"{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"sEcReT\",\"Token\":\"a\\r\\nb\"}",
         "invalid session token"},
        {"{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"sEcReT\",\"Expiration\":\"soon\"}",
         "the time of Expiration is invalid"},
        {"{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"sEcReT\",\"Expiration\":\"2999.\"}",
         "the time of Expiration is invalid"},
        {"{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"sEcReT\",\"Expiration\":"
         "\"2001-01-01T00:00:00Z\"}",
         "have expired already"},
        {"{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"sEcReT\"}",
         "answered with the code AssumeRoleUnauthorizedAccess"},
        {"{\"Code\":\"\\u001b[2J\",\"AccessKeyId\":\"AK\"}", "answered with an invalid code"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {0};
        struct keys *keys;

        assert_true(key_answer_parse(piece_of(cases[i].answer), "origin", &keys, &err) < 0);
        assert_says(&err, cases[i].says);
        assert_null(strstr(err.text, "sEcReT"));
    }
}

#define RESULT                                                                                     \
    "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"      \
    "<AssumeRoleWithWebIdentityResult><Credentials><SecretAccessKey>sEcReT</SecretAccessKey>"      \
    "<SessionToken>token</SessionToken>%s<AccessKeyId>ASIA1</AccessKeyId></Credentials>"           \
    "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"

static void the_answer_for_an_identity_is_read(void **state)
{
    static const struct {
        const char *expiration, *says;
    } cases[] = {
        {"<Expiration>" LATER "</Expiration>", NULL},
        {"<Expiration>2001-01-01T00:00:00Z</Expiration>", "have expired already"},
        {"<Expiration>sEcReT</Expiration>", "the answer is invalid"},
        {"</Expiration>", "the answer is invalid"},
    };
    struct error err = {0};

    (void)state;
    assert_int_equal(xml_load(&err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct keys *keys;
        char text[1024];
        int r;

        snprintf(text, sizeof(text), RESULT, cases[i].expiration);
        r = identity_parse(piece_of(text), "origin", &keys, &err);
        assert_int_equal(r < 0, cases[i].says != NULL);
        if (r == 0) {
            check(keys, "ASIA1 sEcReT token 32472144000");
            keys_drop(keys);
        } else {
            assert_says(&err, cases[i].says);
            assert_null(strstr(err.text, "sEcReT"));
        }
    }
}

static void the_form_for_an_identity_is_escaped(void **state)
{
    static const char expected[] =
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole"
        "%2Fa&RoleSessionName=me&WebIdentityToken=e.Y-_%26b";
    const struct key_endpoint endpoint = {.role = (char[]){"arn:aws:iam::1:role/a"},
                                          .session = (char[]){"me"}};
    CLEANUP(secbuf_done) struct secbuf form = {0};

    (void)state;
    assert_int_equal(identity_format_form(&endpoint, piece_of("e.Y-_&b"), &form), 0);
    assert_int_equal(form.size, strlen(expected));
    assert_memory_equal(form.data, expected, form.size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_answers_are_read),
        cmocka_unit_test(wrong_answers_are_refused_without_a_secret),
        cmocka_unit_test(the_answer_for_an_identity_is_read),
        cmocka_unit_test(the_form_for_an_identity_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
