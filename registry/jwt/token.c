#include "registry/jwt/token.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base64.h"
#include "registry/jwt/strict-json.h"

/* A token without "kid" is tried with at most this many keys. */
enum { TRIES_MAX = 16, SIGNATURE_MAX = JWT_RSA_BITS_MAX / 8 };

/* The claims can be read only in the last state. */
enum state { PARSED, VERIFIED, CHECKED };

struct jwt {
    enum state state;
    const char *text; /* borrowed; the signed text is its first part */
    size_t signed_size;
    struct json *header, *claims;
    enum jwt_algorithm algorithm;
    int64_t expiry;
    unsigned char signature[SIGNATURE_MAX + 3];
    size_t signature_size;
};

const char *jwt_fault_text(enum jwt_fault fault)
{
    static const char *const texts[] = {
        [JWT_MALFORMED] = "it is malformed",
        [JWT_ALGORITHM_REFUSED] = "its algorithm is not accepted",
        [JWT_KEY_UNKNOWN] = "its key is not known",
        [JWT_SIGNATURE_WRONG] = "its signature is wrong",
        [JWT_TYPE_WRONG] = "it is of another type",
        [JWT_ISSUER_WRONG] = "it has another issuer",
        [JWT_AUDIENCE_WRONG] = "it is for another audience",
        [JWT_EXPIRED] = "it has expired",
        [JWT_NOT_YET_VALID] = "it is not valid yet",
    };

    return texts[fault];
}

void jwt_free(struct jwt *token)
{
    if (!token)
        return;
    json_free(token->header);
    json_free(token->claims);
    explicit_bzero(token->signature, sizeof(token->signature));
    free(token);
}

void jwt_freep(struct jwt **token)
{
    jwt_free(*token);
}

/* --- parsing ---------------------------------------------------------------------------- */

static int parse_part(const char *text, size_t size, struct json **ret)
{
    CLEANUP_FREE unsigned char *bytes = malloc((size + 3) / 4 * 3 + 1);
    size_t decoded;
    int r;

    if (!bytes)
        return -ENOMEM;
    if (size == 0 || base64url_decode_bare(text, size, bytes, &decoded) < 0)
        return JWT_MALFORMED;
    r = strict_json_parse(bytes, decoded, ret);
    return r == -EBADMSG ? JWT_MALFORMED : r;
}

/* No extension that a recipient must understand ("crit", such as "b64") is supported. */
static int read_header(struct jwt *token)
{
    const char *algorithm = json_get_text(json_find(token->header, "alg"));
    const struct json *kid = json_find(token->header, "kid"),
                      *type = json_find(token->header, "typ");

    if (!algorithm || (kid && !json_get_text(kid)) || (type && !json_get_text(type)))
        return JWT_MALFORMED;
    if (json_find(token->header, "crit") || json_find(token->header, "b64"))
        return JWT_MALFORMED;
    return jwt_algorithm_parse(algorithm, &token->algorithm) < 0 ? JWT_ALGORITHM_REFUSED : 0;
}

static int read_signature(struct jwt *token, const char *text, size_t size)
{
    if (size == 0 || size > (SIGNATURE_MAX * 4 + 2) / 3 ||
        base64url_decode_bare(text, size, token->signature, &token->signature_size) < 0)
        return JWT_MALFORMED;
    return 0;
}

static int parse_parts(struct jwt *token, const char *text, size_t size)
{
    const char *end = text + size, *first = memchr(text, '.', size);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    int r;

    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return JWT_MALFORMED;
    token->text = text;
    token->signed_size = (size_t)(second - text);
    r = parse_part(text, (size_t)(first - text), &token->header);
    if (r == 0)
        r = read_header(token);
    if (r == 0)
        r = parse_part(first + 1, (size_t)(second - first - 1), &token->claims);
    return r == 0 ? read_signature(token, second + 1, (size_t)(end - second - 1)) : r;
}

int jwt_parse(const char *text, size_t size, struct jwt **ret)
{
    CLEANUP(jwt_freep) struct jwt *token = NULL;
    int r;

    if (size == 0 || size > JWT_SIZE_MAX)
        return JWT_MALFORMED;
    token = calloc(1, sizeof(*token));
    if (!token)
        return -ENOMEM;
    r = parse_parts(token, text, size);
    if (r == 0)
        *ret = steal_ptr(&token);
    return r;
}

const char *jwt_peek_issuer(const struct jwt *token)
{
    return json_get_text(json_find(token->claims, "iss"));
}

const char *jwt_peek_key_id(const struct jwt *token)
{
    return json_get_text(json_find(token->header, "kid"));
}

const struct json *jwt_peek_header(const struct jwt *token)
{
    return token->header;
}

/* --- the signature ---------------------------------------------------------------------- */

int jwt_verify_with(struct jwt *token, const struct jwt_key *key, unsigned algorithms)
{
    int r;

    token->state = PARSED;
    if (!(algorithms & JWT_BIT(token->algorithm)))
        return JWT_ALGORITHM_REFUSED;
    if (!(jwt_key_get_algorithms(key) & JWT_BIT(token->algorithm)))
        return JWT_KEY_UNKNOWN;
    r = jwt_key_verify(key, token->algorithm, token->text, token->signed_size, token->signature,
                       token->signature_size);
    if (r == 0)
        token->state = VERIFIED;
    return r > 0 ? JWT_SIGNATURE_WRONG : r;
}

static bool may_be_key(const struct jwt *token, const struct jwt_key *key)
{
    const char *kid = jwt_peek_key_id(token);

    return jwt_key_get_algorithms(key) & JWT_BIT(token->algorithm) &&
           (!kid || jwt_key_has_id(key, kid));
}

int jwt_verify(struct jwt *token, const struct jwt_key_set *keys, unsigned algorithms)
{
    size_t count = jwt_key_set_count(keys);
    int r = JWT_KEY_UNKNOWN;

    token->state = PARSED;
    if (!(algorithms & JWT_BIT(token->algorithm)))
        return JWT_ALGORITHM_REFUSED;
    for (size_t i = 0, tries = 0; i < count && tries < TRIES_MAX; i++) {
        const struct jwt_key *key = jwt_key_set_get(keys, i);

        if (!may_be_key(token, key))
            continue;
        tries++;
        r = jwt_verify_with(token, key, algorithms);
        if (r <= 0)
            return r;
    }
    return r;
}

/* --- the claims ------------------------------------------------------------------------- */

static bool is_type(const char *type, const char *expected)
{
    static const char prefix[] = "application/"; /* may be left out, RFC 7515 section 4.1.9 */

    if (strncasecmp(type, prefix, strlen(prefix)) == 0)
        type += strlen(prefix);
    return strcasecmp(type, expected) == 0;
}

static bool has_type(const struct jwt *token, const char *expected)
{
    const char *type = json_get_text(json_find(token->header, "typ"));

    if (expected)
        return type && is_type(type, expected);
    return !type || is_type(type, "JWT") || is_type(type, "at+jwt");
}

static bool has_audience(const struct jwt *token, const char *expected)
{
    const struct json *audience = json_find(token->claims, "aud");
    const char *text = json_get_text(audience);
    bool is_found = text && strcmp(text, expected) == 0;

    if (!audience || json_get_type(audience) != JSON_ARRAY)
        return is_found;
    for (const struct json *item = json_get_first(audience); item; item = json_get_next(item)) {
        text = json_get_text(item);
        if (!text)
            return false;
        is_found |= strcmp(text, expected) == 0;
    }
    return is_found;
}

enum { TIME_MISSING = -1 };

/* Reads a NumericDate and drops its fraction. 0 or JWT_MALFORMED. */
static int read_time(const struct jwt *token, const char *name, int64_t *ret)
{
    const double latest = 253402300799.0; /* the year 9999 */
    const struct json *claim = json_find(token->claims, name);
    double value;

    *ret = TIME_MISSING;
    if (!claim)
        return 0;
    if (json_get_number(claim, &value) < 0 || !(value >= 0 && value <= latest))
        return JWT_MALFORMED;
    *ret = (int64_t)value;
    return 0;
}

static int check_times(struct jwt *token, int64_t now, int64_t leeway)
{
    int64_t not_before, issued;

    if (read_time(token, "exp", &token->expiry) != 0 || read_time(token, "nbf", &not_before) != 0 ||
        read_time(token, "iat", &issued) != 0 || token->expiry == TIME_MISSING)
        return JWT_MALFORMED;
    if (now >= token->expiry + leeway)
        return JWT_EXPIRED;
    return not_before > now + leeway || issued > now + leeway ? JWT_NOT_YET_VALID : 0;
}

int jwt_check(struct jwt *token, const struct jwt_expectation *expected)
{
    const char *issuer = jwt_peek_issuer(token);
    int r;

    if (token->state == PARSED)
        return JWT_SIGNATURE_WRONG;
    token->state = VERIFIED;
    if (!has_type(token, expected->type))
        return JWT_TYPE_WRONG;
    if (!issuer || strcmp(issuer, expected->issuer) != 0)
        return JWT_ISSUER_WRONG;
    if (!has_audience(token, expected->audience))
        return JWT_AUDIENCE_WRONG;
    r = check_times(token, expected->now_s, expected->leeway_s);
    if (r == 0)
        token->state = CHECKED;
    return r;
}

const struct json *jwt_get_claims(const struct jwt *token)
{
    return token->state == CHECKED ? token->claims : NULL;
}

int64_t jwt_get_expiry(const struct jwt *token)
{
    return token->expiry;
}
