/*
 * A signature is an HMAC of the digest of the canonical request: method, path, query, headers and
 * the digest of the body, each in its one spelling. The key is derived from the secret key for a
 * day, a region and a service.
 */
#include "registry/storage/s3/sign.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hmac.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SERVICE "s3"
#define SCOPE_END "aws4_request"

enum {
    DAY_SIZE = 8,
    SCOPE_SIZE = 128,
    HEADERS_SIZE = 768,
    TO_SIGN_SIZE = 320,
    SIGNATURE_SIZE = 2 * HMAC_SHA256_SIZE + 1
};

/* What all steps of one signature share. */
struct signing {
    const struct s3_keys *keys;
    const char *region;
    const struct s3_message *message;
    char date[S3_DATE_SIZE];
    char scope[SCOPE_SIZE];               /* day/region/service/aws4_request */
    char signed_headers[HEADERS_SIZE];    /* names with ';' between them */
    struct s3_pair headers[S3_PAIRS_MAX]; /* of the message, and those that signing adds */
    size_t header_count;
    struct secbuf token; /* the session token as text */
};

static void signing_done(struct signing *signing)
{
    secbuf_done(&signing->token);
}

static bool has_token(const struct signing *signing)
{
    return signing->keys->token && signing->keys->token->size > 0;
}

static int signing_init(struct signing *signing, const struct s3_keys *keys, const char *region,
                        const struct s3_message *message, time_t now)
{
    struct tm tm;
    int length;

    *signing = (struct signing){.keys = keys, .region = region, .message = message};
    if (message->header_count > S3_MESSAGE_PAIRS_MAX || message->query_count > S3_MESSAGE_PAIRS_MAX)
        return -E2BIG;
    if (!gmtime_r(&now, &tm) || strftime(signing->date, S3_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm) == 0)
        return -E2BIG;
    length = snprintf(signing->scope, SCOPE_SIZE, "%.*s/%s/" SERVICE "/" SCOPE_END, DAY_SIZE,
                      signing->date, region);
    if (length >= SCOPE_SIZE)
        return -E2BIG;
    if (!has_token(signing))
        return 0;
    if (secbuf_append(&signing->token, keys->token->data, keys->token->size) < 0)
        return -ENOMEM;
    return secbuf_append(&signing->token, "", 1);
}

static void add_header(struct signing *signing, const char *name, const char *value)
{
    signing->headers[signing->header_count++] = (struct s3_pair){name, value};
}

/* Fills signed_headers from headers. 0 or -E2BIG. */
static int list_headers(struct signing *signing)
{
    const struct s3_pair *sorted[S3_PAIRS_MAX];
    size_t used = 0;

    s3_sort_pairs(signing->headers, signing->header_count, sorted);
    for (size_t i = 0; i < signing->header_count; i++) {
        used += (size_t)snprintf(signing->signed_headers + used, HEADERS_SIZE - used, "%s%s",
                                 i > 0 ? ";" : "", sorted[i]->name);
        if (used >= HEADERS_SIZE)
            return -E2BIG;
    }
    return 0;
}

/* --- the canonical request ------------------------------------------------------------------- */

static void hash_text(struct hasher *hasher, const char *text)
{
    hasher_write(hasher, text, strlen(text));
}

/* The value without blanks at both ends, and with one blank for several. */
static void hash_value(struct hasher *hasher, const char *value)
{
    bool is_between = false;

    for (value += strspn(value, " "); *value; value += strspn(value, " ")) {
        size_t word = strcspn(value, " ");

        if (is_between)
            hash_text(hasher, " ");
        hasher_write(hasher, value, word);
        value += word;
        is_between = true;
    }
}

static void hash_headers(struct hasher *hasher, const struct signing *signing)
{
    const struct s3_pair *sorted[S3_PAIRS_MAX];

    s3_sort_pairs(signing->headers, signing->header_count, sorted);
    for (size_t i = 0; i < signing->header_count; i++) {
        hash_text(hasher, sorted[i]->name);
        hash_text(hasher, ":");
        hash_value(hasher, sorted[i]->value);
        hash_text(hasher, "\n");
    }
}

/* The escaped path, a newline and the query. Free with free(); NULL if memory is out. */
static char *format_target(const struct s3_message *message, const struct s3_pair *query,
                           size_t count, char between)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool has_failed;

    if (!out)
        return NULL;
    s3_escape(out, message->path, "/");
    fputc(between, out);
    s3_format_query(out, query, count);
    has_failed = ferror(out);
    if (fclose(out) == 0 && !has_failed)
        return text;
    free(text);
    return NULL;
}

static int hash_request(const struct signing *signing, const struct s3_pair *query,
                        size_t query_count, struct digest *ret)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    CLEANUP_FREE char *target = format_target(signing->message, query, query_count, '\n');

    if (!target || hasher_new(DIGEST_SHA256, &hasher) < 0)
        return -ENOMEM;
    hash_text(hasher, signing->message->method);
    hash_text(hasher, "\n");
    hash_text(hasher, target);
    hash_text(hasher, "\n");
    hash_headers(hasher, signing);
    hash_text(hasher, "\n");
    hash_text(hasher, signing->signed_headers);
    hash_text(hasher, "\n");
    hash_text(hasher, signing->message->payload);
    hasher_get(hasher, ret);
    return 0;
}

/* --- the signature --------------------------------------------------------------------------- */

/* The key of that day, region and service. It is a secret. */
static int derive_key(const struct signing *signing, struct secbuf *ret)
{
    CLEANUP(secbuf_done) struct secbuf secret = {0};
    const struct {
        const char *text;
        size_t size;
    } parts[] = {
        {signing->date, DAY_SIZE},
        {signing->region, strlen(signing->region)},
        {SERVICE, strlen(SERVICE)},
        {SCOPE_END, strlen(SCOPE_END)},
    };
    int r = secbuf_append(&secret, "AWS4", 4);

    if (r == 0)
        r = secbuf_append(&secret, signing->keys->secret->data, signing->keys->secret->size);
    if (r == 0)
        r = secbuf_reserve(ret, HMAC_SHA256_SIZE);
    if (r == 0)
        r = hmac_sha256(secret.data, secret.size, parts[0].text, parts[0].size, ret->data);
    for (size_t i = 1; r == 0 && i < ARRAY_SIZE(parts); i++)
        r = hmac_sha256(ret->data, HMAC_SHA256_SIZE, parts[i].text, parts[i].size, ret->data);
    ret->size = r == 0 ? HMAC_SHA256_SIZE : 0;
    return r;
}

static int compute(const struct signing *signing, const struct s3_pair *query, size_t query_count,
                   char ret_hex[SIGNATURE_SIZE])
{
    CLEANUP(secbuf_done) struct secbuf key = {0};
    char text[TO_SIGN_SIZE];
    unsigned char signature[HMAC_SHA256_SIZE];
    struct digest digest;
    int r = hash_request(signing, query, query_count, &digest);

    if (r == 0)
        r = derive_key(signing, &key);
    if (r < 0)
        return r;
    snprintf(text, sizeof(text), ALGORITHM "\n%s\n%s\n%s", signing->date, signing->scope,
             digest.hex);
    r = hmac_sha256(key.data, key.size, text, strlen(text), signature);
    for (size_t i = 0; r == 0 && i < sizeof(signature); i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", signature[i]);
    return r;
}

static int sign_headers(struct signing *signing, struct s3_signature *ret)
{
    const struct s3_message *message = signing->message;
    char signature[SIGNATURE_SIZE];
    int length, r;

    add_header(signing, "host", message->host);
    add_header(signing, "x-amz-content-sha256", message->payload);
    add_header(signing, "x-amz-date", signing->date);
    if (has_token(signing))
        add_header(signing, "x-amz-security-token", (const char *)signing->token.data);
    for (size_t i = 0; i < message->header_count; i++)
        add_header(signing, message->headers[i].name, message->headers[i].value);
    r = list_headers(signing);
    if (r == 0)
        r = compute(signing, message->query, message->query_count, signature);
    if (r < 0)
        return r;
    length = snprintf(ret->authorization, S3_AUTHORIZATION_SIZE,
                      ALGORITHM " Credential=%s/%s,SignedHeaders=%s,Signature=%s",
                      signing->keys->access, signing->scope, signing->signed_headers, signature);
    memcpy(ret->date, signing->date, S3_DATE_SIZE);
    return length < S3_AUTHORIZATION_SIZE ? 0 : -E2BIG;
}

int s3_sign(const struct s3_keys *keys, const char *region, const struct s3_message *message,
            time_t now, struct s3_signature *ret)
{
    CLEANUP(signing_done) struct signing signing;
    int r = signing_init(&signing, keys, region, message, now);

    return r == 0 ? sign_headers(&signing, ret) : r;
}

/* --- addresses ------------------------------------------------------------------------------- */

static int presign(struct signing *signing, unsigned expires_s, char **ret)
{
    const struct s3_message *message = signing->message;
    char signature[SIGNATURE_SIZE], expires[16], credential[SCOPE_SIZE + 256];
    struct s3_pair query[S3_PAIRS_MAX] = {
        {"X-Amz-Algorithm", ALGORITHM},
        {"X-Amz-Credential", credential},
        {"X-Amz-Date", signing->date},
        {"X-Amz-Expires", expires},
        {"X-Amz-SignedHeaders", signing->signed_headers},
    };
    size_t count = 5;
    CLEANUP_FREE char *target = NULL;
    int r;

    add_header(signing, "host", message->host);
    for (size_t i = 0; i < message->header_count; i++)
        add_header(signing, message->headers[i].name, message->headers[i].value);
    r = list_headers(signing);
    if (r == 0 && snprintf(credential, sizeof(credential), "%s/%s", signing->keys->access,
                           signing->scope) >= (int)sizeof(credential))
        r = -E2BIG;
    snprintf(expires, sizeof(expires), "%u", expires_s);
    if (has_token(signing))
        query[count++] =
            (struct s3_pair){"X-Amz-Security-Token", (const char *)signing->token.data};
    for (size_t i = 0; i < message->query_count; i++)
        query[count++] = message->query[i];
    if (r == 0)
        r = compute(signing, query, count, signature);
    if (r < 0)
        return r;
    target = format_target(message, query, count, '?');
    if (!target || asprintf(ret, "%s&X-Amz-Signature=%s", target, signature) < 0)
        return -ENOMEM;
    return 0;
}

int s3_presign(const struct s3_keys *keys, const char *region, const struct s3_message *message,
               time_t now, unsigned expires_s, char **ret)
{
    CLEANUP(signing_done) struct signing signing;
    struct s3_message unsigned_message = *message;
    int r;

    unsigned_message.payload = S3_UNSIGNED_PAYLOAD;
    r = signing_init(&signing, keys, region, &unsigned_message, now);
    return r == 0 ? presign(&signing, expires_s, ret) : r;
}
