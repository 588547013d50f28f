/*
 * The examples that Amazon publishes for S3: "Authenticating Requests: Using the Authorization
 * Header" and "Using Query Parameters" in the API reference of S3, with their keys, which belong to
 * nobody.
 */
#include "registry/storage/s3/sign.h"

#include <errno.h>
#include <string.h>

#include "common/hmac.h"
#include "tests/unit/check.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HOST "examplebucket.s3.amazonaws.com"
#define REGION "us-east-1"

enum { NOON = 1369353600 }; /* 2013-05-24 00:00:00 UTC */

static const char secret_text[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
static struct secbuf secret, token;
static struct s3_keys keys = {.access = "AKIAIOSFODNN7EXAMPLE", .secret = &secret};

static int set_up(void **state)
{
    (void)state;
    return secbuf_append(&secret, secret_text, strlen(secret_text)) ||
           secbuf_append(&token, "to/ken+", 7);
}

static int tear_down(void **state)
{
    (void)state;
    secbuf_done(&secret);
    secbuf_done(&token);
    return 0;
}

static const struct s3_pair range = {"range", "bytes=0-9"};
static const struct s3_pair put_headers[] = {
    {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
    {"date", "Fri, 24 May 2013 00:00:00 GMT"},
};
static const struct s3_pair lifecycle = {"lifecycle", ""};
static const struct s3_pair list_query[] = {{"prefix", "J"}, {"max-keys", "2"}};

static const struct example {
    struct s3_message message;
    const char *signed_headers, *signature;
} examples[] = {
    {{"GET", HOST, "/test.txt", EMPTY, NULL, 0, &range, 1},
     "host;range;x-amz-content-sha256;x-amz-date",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {{"PUT", HOST, "/test$file.text",
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072", NULL, 0, put_headers, 2},
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {{"GET", HOST, "/", EMPTY, &lifecycle, 1, NULL, 0},
     "host;x-amz-content-sha256;x-amz-date",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {{"GET", HOST, "/", EMPTY, list_query, 2, NULL, 0},
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static void published_examples_are_signed_as_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        struct s3_signature signature;
        char expected[512];

        snprintf(
            expected, sizeof(expected),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=%s,Signature=%s",
            examples[i].signed_headers, examples[i].signature);
        assert_int_equal(s3_sign(&keys, REGION, &examples[i].message, NOON, &signature), 0);
        assert_string_equal(signature.date, "20130524T000000Z");
        assert_string_equal(signature.authorization, expected);
    }
}

static void the_published_address_is_signed_as_published(void **state)
{
    const struct s3_message message = {.method = "GET", .host = HOST, .path = "/test.txt"};
    char *address;

    (void)state;
    assert_int_equal(s3_presign(&keys, REGION, &message, NOON, 86400, &address), 0);
    assert_string_equal(
        address,
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    free(address);
}

static const char *escape(const char *text, const char *kept)
{
    static char result[256];
    FILE *out = fmemopen(result, sizeof(result), "w");

    assert_non_null(out);
    s3_escape(out, text, kept);
    fclose(out);
    return result;
}

static void addresses_have_one_spelling(void **state)
{
    const struct s3_pair query[] = {{"uploadId", "2~a/b+c="}, {"partNumber", "1"}, {"uploads", ""}};
    char text[128] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    (void)state;
    assert_string_equal(escape("/a b/c+d=e&f%", "/"), "/a%20b/c%2Bd%3De%26f%25");
    assert_string_equal(escape("/~._-!'()*,;", ""), "%2F~._-%21%27%28%29%2A%2C%3B");
    assert_string_equal(escape("\xC3\xA9\x01\x7F", "/"), "%C3%A9%01%7F");
    assert_non_null(out);
    s3_format_query(out, query, 3);
    fclose(out);
    assert_string_equal(text, "partNumber=1&uploadId=2~a%2Fb%2Bc%3D&uploads=");
}

/* The value of a signed header has one spelling, too, whatever blanks the caller has put into it.
 */
static void blanks_in_a_header_do_not_matter(void **state)
{
    static const char *const values[] = {"a b", " a b", "a   b", "a b  "};
    struct s3_signature first, signature;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        const struct s3_pair header = {"x-amz-meta-a", values[i]};
        const struct s3_message message = {.method = "PUT",
                                           .host = HOST,
                                           .path = "/k",
                                           .payload = EMPTY,
                                           .headers = &header,
                                           .header_count = 1};

        assert_int_equal(s3_sign(&keys, REGION, &message, NOON, i == 0 ? &first : &signature), 0);
        if (i > 0)
            assert_string_equal(signature.authorization, first.authorization);
    }
}

static void a_session_token_is_signed(void **state)
{
    const struct s3_keys temporary = {.access = keys.access, .secret = &secret, .token = &token};
    const struct s3_message message = {
        .method = "GET", .host = HOST, .path = "/k", .payload = EMPTY};
    struct s3_signature with, without;
    char *address;

    (void)state;
    assert_int_equal(s3_sign(&keys, REGION, &message, NOON, &without), 0);
    assert_int_equal(s3_sign(&temporary, REGION, &message, NOON, &with), 0);
    assert_null(strstr(without.authorization, "x-amz-security-token"));
    assert_non_null(strstr(with.authorization, ";x-amz-date;x-amz-security-token,"));
    assert_null(strstr(with.authorization, "to/ken"));
    assert_int_equal(s3_presign(&temporary, REGION, &message, NOON, 5, &address), 0);
    assert_non_null(strstr(address, "&X-Amz-Security-Token=to%2Fken%2B&"));
    free(address);
}

static void what_is_too_large_is_refused(void **state)
{
    struct s3_pair many[S3_MESSAGE_PAIRS_MAX + 1];
    struct s3_message message = {.method = "GET",
                                 .host = HOST,
                                 .path = "/k",
                                 .payload = EMPTY,
                                 .headers = many,
                                 .header_count = ARRAY_SIZE(many)};
    char long_name[1000], region[200];
    struct s3_signature signature;
    char *address;

    (void)state;
    fill(long_name, 'x', sizeof(long_name) - 1);
    fill(region, 'r', sizeof(region) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (struct s3_pair){"x-amz-meta-a", "v"};
    assert_int_equal(s3_sign(&keys, REGION, &message, NOON, &signature), -E2BIG);
    assert_int_equal(s3_presign(&keys, REGION, &message, NOON, 5, &address), -E2BIG);
    message.header_count--;
    assert_int_equal(s3_sign(&keys, REGION, &message, NOON, &signature), 0);
    assert_int_equal(s3_sign(&keys, region, &message, NOON, &signature), -E2BIG);
    many[0].name = long_name;
    assert_int_equal(s3_sign(&keys, REGION, &message, NOON, &signature), -E2BIG);
}

/* RFC 4231, test cases 2 and 6: a key shorter than a block of the hash, and a longer one. */
static void hmac_is_that_of_the_rfc(void **state)
{
    static const char data[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    unsigned char key[131], mac[HMAC_SHA256_SIZE];
    char hex[2 * HMAC_SHA256_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = 0xAA;
    assert_int_equal(hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac), 0);
    for (size_t i = 0; i < sizeof(mac); i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_int_equal(hmac_sha256(key, sizeof(key), data, strlen(data), mac), 0);
    for (size_t i = 0; i < sizeof(mac); i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples_are_signed_as_published),
        cmocka_unit_test(the_published_address_is_signed_as_published),
        cmocka_unit_test(addresses_have_one_spelling),
        cmocka_unit_test(blanks_in_a_header_do_not_matter),
        cmocka_unit_test(a_session_token_is_signed),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(hmac_is_that_of_the_rfc),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
