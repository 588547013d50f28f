#include "registry/jwt/token.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/registry-jwt/maker.h"

#define HEADER(alg) "{\"alg\":\"" alg "\",\"typ\":\"JWT\"}"
#define CLAIMS                                                                                     \
    "{\"iss\":\"issuer\",\"aud\":\"registry\",\"exp\":2000,\"nbf\":1000,\"iat\":1000,\"sub\":"     \
    "\"alice\"}"

static const struct jwt_expectation expected = {
    .issuer = "issuer", .audience = "registry", .now_s = 1500, .leeway_s = JWT_LEEWAY_S};

/* A fault, or 0. */
static int judge_with(const char *text, const struct jwt_key_set *keys, unsigned algorithms,
                      const struct jwt_expectation *expectation)
{
    CLEANUP(jwt_freep) struct jwt *token = NULL;
    size_t size = strlen(text);
    CLEANUP_FREE char *copy = size ? copy_exactly(text, size) : NULL;
    int r = jwt_parse(copy, size, &token);

    if (r == 0)
        assert_null(jwt_get_claims(token));
    if (r == 0)
        r = jwt_verify(token, keys, algorithms);
    if (r == 0)
        r = jwt_check(token, expectation);
    if (token)
        assert_true((jwt_get_claims(token) != NULL) == (r == 0));
    return r;
}

static int judge(const char *text)
{
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *keys = maker_get_all();

    return judge_with(text, keys, JWT_EVERY_ALGORITHM, &expected);
}

static int judge_signed(const char *header, const char *claims)
{
    CLEANUP_FREE char *token = maker_sign(header, claims, MAKER_P256, JWT_ES256);

    return judge(token);
}

static void test_each_algorithm(void **state)
{
    static const struct {
        const char *header;
        enum maker_key key;
        enum jwt_algorithm algorithm;
    } rows[] = {
        {HEADER("ES256"), MAKER_P256, JWT_ES256},    {HEADER("ES384"), MAKER_P384, JWT_ES384},
        {HEADER("RS256"), MAKER_RSA, JWT_RS256},     {HEADER("PS256"), MAKER_RSA, JWT_PS256},
        {HEADER("EdDSA"), MAKER_ED25519, JWT_EDDSA},
    };
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *all = maker_get_all();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *token =
            maker_sign(rows[i].header, CLAIMS, rows[i].key, rows[i].algorithm);
        unsigned only = JWT_BIT(rows[i].algorithm);

        assert_case(rows[i].header, judge_with(token, all, only, &expected) == 0);
        assert_case(rows[i].header, judge_with(token, all, JWT_EVERY_ALGORITHM & ~only,
                                               &expected) == JWT_ALGORITHM_REFUSED);
        for (unsigned other = 0; other < MAKER_KEYS; other++) {
            CLEANUP(jwt_key_set_unrefp)
            struct jwt_key_set *set = maker_get_set((enum maker_key)other);

            assert_case(rows[i].header, judge_with(token, set, JWT_EVERY_ALGORITHM, &expected) ==
                                            (other == (unsigned)rows[i].key ? 0 : JWT_KEY_UNKNOWN));
        }
    }
}

/* --- attacks on the header -------------------------------------------------------------- */

static void test_no_signature_is_never_accepted(void **state)
{
    static const char *const headers[] = {HEADER("none"), HEADER("None"), HEADER("NONE"),
                                          HEADER("nOnE"), HEADER("")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        CLEANUP_FREE char *empty = maker_join(headers[i], CLAIMS, "", 0);
        CLEANUP_FREE char *filled = maker_join(headers[i], CLAIMS, "signature", 9);
        CLEANUP_FREE char *valid = maker_sign(headers[i], CLAIMS, MAKER_P256, JWT_ES256);

        assert_case(headers[i], judge(empty) == JWT_ALGORITHM_REFUSED);
        assert_case(headers[i], judge(filled) == JWT_ALGORITHM_REFUSED);
        assert_case(headers[i], judge(valid) == JWT_ALGORITHM_REFUSED);
    }
}

/* An HMAC whose key would be the public key, which everybody knows. */
static void test_no_hmac_is_accepted(void **state)
{
    static const char *const headers[] = {HEADER("HS256"), HEADER("HS384"), HEADER("HS512"),
                                          HEADER("hs256")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        CLEANUP_FREE char *token =
            maker_join(headers[i], CLAIMS, "01234567890123456789012345678901", 32);

        assert_case(headers[i], judge(token) == JWT_ALGORITHM_REFUSED);
    }
}

static const struct header_row {
    const char *header;
    int fault;
} header_rows[] = {
    {"{\"alg\":\"ES256\"}", 0},
    {"{\"alg\":\"ES256\",\"typ\":\"jwt\"}", 0},
    {"{\"alg\":\"ES256\",\"typ\":\"application/at+jwt\"}", 0},
    {"{\"alg\":\"ES256\",\"typ\":\"JWE\"}", JWT_TYPE_WRONG},
    {"{\"alg\":\"ES256\",\"typ\":null}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", JWT_MALFORMED},
    {"{\"alg\":\"none\",\"alg\":\"ES256\"}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"a\\u006cg\":\"none\"}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"Alg\":\"none\"}", 0}, /* another name, which means nothing */
    {"{\"alg\":\"ES256\\u0000\"}", JWT_MALFORMED},
    {"{\"alg\":[\"ES256\"]}", JWT_MALFORMED},
    {"{\"alg\":\"ES384\"}", JWT_SIGNATURE_WRONG}, /* of the P-384 key */
    {"{\"alg\":\"es256\"}", JWT_ALGORITHM_REFUSED},
    {"{\"typ\":\"JWT\"}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"crit\":[]}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"b64\":true}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"kid\":\"other\"}", JWT_KEY_UNKNOWN},
    {"{\"alg\":\"ES256\",\"kid\":\"../../dev/null\"}", JWT_KEY_UNKNOWN},
    {"{\"alg\":\"ES256\",\"kid\":null}", JWT_MALFORMED},
    {"{\"alg\":\"ES256\",\"jku\":\"https://evil.example/keys\"}", 0}, /* never fetched */
    {"{\"alg\":\"ES256\"} ", 0},
    {"{\"alg\":\"ES256\"}x", JWT_MALFORMED},
    {"{\"alg\":\"ES256\"}{}", JWT_MALFORMED},
    {"[\"alg\"]", JWT_MALFORMED},
    {"\"ES256\"", JWT_MALFORMED},
    {"{\"alg\":\"ES256\"", JWT_MALFORMED},
    {"", JWT_MALFORMED},
};

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(header_rows); i++)
        assert_case(header_rows[i].header,
                    judge_signed(header_rows[i].header, CLAIMS) == header_rows[i].fault);
}

/* --- claims ----------------------------------------------------------------------------- */

#define WITH(members) "{\"iss\":\"issuer\",\"aud\":\"registry\"," members "}"

static const struct header_row claim_rows[] = {
    {CLAIMS, 0},
    {WITH("\"exp\":2000"), 0},
    {WITH("\"exp\":2000.75,\"nbf\":1000.5"), 0},
    {WITH("\"exp\":2e3"), 0},
    {WITH("\"exp\":1441"), 0}, /* within the leeway */
    {WITH("\"exp\":1440"), JWT_EXPIRED},
    {WITH("\"exp\":0"), JWT_EXPIRED},
    {WITH("\"exp\":-1"), JWT_MALFORMED},
    {WITH("\"exp\":1e308"), JWT_MALFORMED},
    {WITH("\"exp\":1e999"), JWT_MALFORMED},
    {WITH("\"exp\":9223372036854775807"), JWT_MALFORMED},
    {WITH("\"exp\":18446744073709553615"), JWT_MALFORMED},
    {WITH("\"exp\":\"2000\""), JWT_MALFORMED},
    {WITH("\"exp\":null"), JWT_MALFORMED},
    {WITH("\"exp\":true"), JWT_MALFORMED},
    {WITH("\"exp\":[2000]"), JWT_MALFORMED},
    {WITH("\"exp\":NaN"), JWT_MALFORMED},
    {WITH("\"nbf\":1000"), JWT_MALFORMED}, /* without an end */
    {WITH("\"exp\":2000,\"exp\":3000"), JWT_MALFORMED},
    {WITH("\"exp\":2000,\"nbf\":1560"), 0},
    {WITH("\"exp\":2000,\"nbf\":1561"), JWT_NOT_YET_VALID},
    {WITH("\"exp\":2000,\"iat\":1561"), JWT_NOT_YET_VALID},
    {WITH("\"exp\":2000,\"iat\":\"now\""), JWT_MALFORMED},
    {WITH("\"exp\":2000,\"a\":{\"b\":1,\"b\":2}"), JWT_MALFORMED},
    {WITH("\"exp\":2000,\"a\":[{\"b\":1},{\"b\":2}]"), 0},
    {"{\"aud\":\"registry\",\"exp\":2000}", JWT_ISSUER_WRONG},
    {"{\"iss\":\"issuer2\",\"aud\":\"registry\",\"exp\":2000}", JWT_ISSUER_WRONG},
    {"{\"iss\":\"issuer\\u0000x\",\"aud\":\"registry\",\"exp\":2000}", JWT_ISSUER_WRONG},
    {"{\"iss\":[\"issuer\"],\"aud\":\"registry\",\"exp\":2000}", JWT_ISSUER_WRONG},
    {"{\"iss\":\"issuer\",\"exp\":2000}", JWT_AUDIENCE_WRONG},
    {"{\"iss\":\"issuer\",\"aud\":\"other\",\"exp\":2000}", JWT_AUDIENCE_WRONG},
    {"{\"iss\":\"issuer\",\"aud\":[\"other\"],\"exp\":2000}", JWT_AUDIENCE_WRONG},
    {"{\"iss\":\"issuer\",\"aud\":[],\"exp\":2000}", JWT_AUDIENCE_WRONG},
    {"{\"iss\":\"issuer\",\"aud\":[\"other\",\"registry\"],\"exp\":2000}", 0},
    {"{\"iss\":\"issuer\",\"aud\":[\"registry\",5],\"exp\":2000}", JWT_AUDIENCE_WRONG},
    {"{\"iss\":\"issuer\",\"aud\":[[\"registry\"]],\"exp\":2000}", JWT_AUDIENCE_WRONG},
    {"{\"iss\":\"issuer\",\"aud\":{\"0\":\"registry\"},\"exp\":2000}", JWT_AUDIENCE_WRONG},
    {"[]", JWT_MALFORMED},
    {"null", JWT_MALFORMED},
    {"", JWT_MALFORMED},
};

static void test_claims(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(claim_rows); i++)
        assert_case(claim_rows[i].header,
                    judge_signed(HEADER("ES256"), claim_rows[i].header) == claim_rows[i].fault);
}

static void test_deep_and_wide_json_is_refused(void **state)
{
    char claims[9000];
    size_t at = (size_t)snprintf(claims, sizeof(claims),
                                 "{\"iss\":\"issuer\",\"aud\":\"registry\",\"exp\":2000,\"a\":");

    (void)state;
    memset(claims + at, '[', 4000);
    memset(claims + at + 4000, ']', 4000);
    memcpy(claims + at + 8000, "}", 2);
    assert_int_equal(judge_signed(HEADER("ES256"), claims), JWT_MALFORMED);
    for (int i = 0; at + 12 < sizeof(claims) && i < 600; i++)
        at += (size_t)snprintf(claims + at, sizeof(claims) - at, "%s\"%d\":0", i ? "," : "{", i);
    memcpy(claims + at, "}}", 3);
    assert_int_equal(judge_signed(HEADER("ES256"), claims), JWT_MALFORMED);
}

static void test_required_type(void **state)
{
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *keys = maker_get_all();
    struct jwt_expectation wanted = expected;
    CLEANUP_FREE char *plain = maker_sign(HEADER("ES256"), CLAIMS, MAKER_P256, JWT_ES256);
    CLEANUP_FREE char *special =
        maker_sign("{\"alg\":\"ES256\",\"typ\":\"refresh+jwt\"}", CLAIMS, MAKER_P256, JWT_ES256);
    CLEANUP_FREE char *without = maker_sign("{\"alg\":\"ES256\"}", CLAIMS, MAKER_P256, JWT_ES256);

    (void)state;
    wanted.type = "refresh+jwt";
    assert_int_equal(judge_with(plain, keys, JWT_EVERY_ALGORITHM, &wanted), JWT_TYPE_WRONG);
    assert_int_equal(judge_with(without, keys, JWT_EVERY_ALGORITHM, &wanted), JWT_TYPE_WRONG);
    assert_int_equal(judge_with(special, keys, JWT_EVERY_ALGORITHM, &wanted), 0);
    assert_int_equal(judge(special), JWT_TYPE_WRONG);
}

/* --- the form --------------------------------------------------------------------------- */

/* Any other text than the one that was signed is refused. */
static void test_every_change_of_a_byte_is_refused(void **state)
{
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *keys = maker_get_set(MAKER_P256);
    CLEANUP_FREE char *token = maker_sign(HEADER("ES256"), CLAIMS, MAKER_P256, JWT_ES256);

    (void)state;
    assert_int_equal(judge_with(token, keys, JWT_EVERY_ALGORITHM, &expected), 0);
    for (size_t i = 0; token[i]; i++) {
        char before = token[i];

        for (int bit = 0; bit < 8; bit++) {
            token[i] = (char)(before ^ 1 << bit);
            if (token[i])
                assert_int_not_equal(judge_with(token, keys, JWT_EVERY_ALGORITHM, &expected), 0);
        }
        token[i] = before;
    }
}

static void check_form(const char *before, const char *token, const char *after)
{
    char text[2000];

    snprintf(text, sizeof(text), "%s%s%s", before, token, after);
    assert_case(text, judge(text) == JWT_MALFORMED);
}

static void test_bytes_around_a_token_are_refused(void **state)
{
    static const char *const before[] = {".", " ", "\"", "\n"}, *const after[] = {
                                                                    ".",  "=",  "==", " ",
                                                                    "\n", ".x", "+",  "\""};
    static const char *const instead[] = {"", "..", "...", "a.b.c", "e30.e30.", ".e30.AA"};
    CLEANUP_FREE char *token = maker_sign(HEADER("ES256"), CLAIMS, MAKER_P256, JWT_ES256);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(before); i++)
        check_form(before[i], token, "");
    for (size_t i = 0; i < ARRAY_SIZE(after); i++)
        check_form("", token, after[i]);
    for (size_t i = 0; i < ARRAY_SIZE(instead); i++)
        check_form("", instead[i], "");
}

/* A longer signature can be decoded, but is not valid. */
static void test_signature_of_another_form_is_refused(void **state)
{
    static const unsigned char der[] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};
    CLEANUP_FREE char *token = maker_sign(HEADER("ES256"), CLAIMS, MAKER_P256, JWT_ES256),
                      *longer = NULL;
    CLEANUP_FREE char *as_der = maker_join(HEADER("ES256"), CLAIMS, der, sizeof(der));
    static const unsigned char zeros[64];
    CLEANUP_FREE char *as_zeros = maker_join(HEADER("ES256"), CLAIMS, zeros, sizeof(zeros));

    (void)state;
    assert_true(asprintf(&longer, "%.*sAAAA", (int)strlen(token) - 2, token) > 0);
    assert_int_equal(judge(longer), JWT_SIGNATURE_WRONG);
    assert_int_equal(judge(as_der), JWT_SIGNATURE_WRONG);
    assert_int_equal(judge(as_zeros), JWT_SIGNATURE_WRONG);
}

static void test_size_is_bounded(void **state)
{
    CLEANUP_FREE char *text = malloc(JWT_SIZE_MAX + 2);
    struct jwt *token = NULL;

    (void)state;
    assert_non_null(text);
    fill(text, 'A', JWT_SIZE_MAX + 1);
    text[10] = text[20] = '.';
    assert_int_equal(jwt_parse(text, JWT_SIZE_MAX + 1, &token), JWT_MALFORMED);
    assert_int_equal(jwt_parse(text, 0, &token), JWT_MALFORMED);
    assert_null(token);
}

/* What is checked is bound to one token: a failure takes an earlier success back. */
static void test_claims_cannot_be_read_before_all_checks(void **state)
{
    CLEANUP(jwt_key_set_unrefp)
    struct jwt_key_set *right = maker_get_set(MAKER_P256),
                       *wrong = maker_get_set(MAKER_RSA);
    CLEANUP_FREE char *text = maker_sign(HEADER("ES256"), CLAIMS, MAKER_P256, JWT_ES256);
    CLEANUP(jwt_freep) struct jwt *token = NULL;
    struct jwt_expectation late = expected;

    (void)state;
    late.now_s = 3000;
    assert_int_equal(jwt_parse(text, strlen(text), &token), 0);
    assert_string_equal(jwt_peek_issuer(token), "issuer");
    assert_null(jwt_peek_key_id(token));
    assert_int_equal(jwt_check(token, &expected), JWT_SIGNATURE_WRONG);
    assert_null(jwt_get_claims(token));
    assert_int_equal(jwt_verify(token, right, JWT_BIT(JWT_ES256)), 0);
    assert_null(jwt_get_claims(token));
    assert_int_equal(jwt_check(token, &expected), 0);
    assert_string_equal(json_get_text(json_find(jwt_get_claims(token), "sub")), "alice");
    assert_int_equal(jwt_get_expiry(token), 2000);
    assert_int_equal(jwt_check(token, &late), JWT_EXPIRED);
    assert_null(jwt_get_claims(token));
    assert_int_equal(jwt_verify(token, wrong, JWT_EVERY_ALGORITHM), JWT_KEY_UNKNOWN);
    assert_int_equal(jwt_check(token, &expected), JWT_SIGNATURE_WRONG);
}

static void test_key_id_chooses_the_key(void **state)
{
    CLEANUP(jwt_key_freep)
    struct jwt_key *right = maker_get_key(MAKER_P256),
                   *wrong = maker_get_key(MAKER_P384);
    const char *ids[] = {jwt_key_get_thumbprint(right), jwt_key_get_libtrust_id(right),
                         jwt_key_get_thumbprint(wrong)};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        char header[200];

        snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", ids[i]);
        assert_case(ids[i], judge_signed(header, CLAIMS) == (i < 2 ? 0 : JWT_KEY_UNKNOWN));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_algorithm),
        cmocka_unit_test(test_no_signature_is_never_accepted),
        cmocka_unit_test(test_no_hmac_is_accepted),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_deep_and_wide_json_is_refused),
        cmocka_unit_test(test_required_type),
        cmocka_unit_test(test_every_change_of_a_byte_is_refused),
        cmocka_unit_test(test_bytes_around_a_token_are_refused),
        cmocka_unit_test(test_signature_of_another_form_is_refused),
        cmocka_unit_test(test_size_is_bounded),
        cmocka_unit_test(test_claims_cannot_be_read_before_all_checks),
        cmocka_unit_test(test_key_id_chooses_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
