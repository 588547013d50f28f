#include "registry/storage/s3/prepared.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "registry/storage/s3/sign.h"

void prepared_done(struct prepared *prepared)
{
    free(prepared->path);
    free(prepared->url);
    for (size_t i = 0; i < prepared->header_count; i++)
        free(prepared->headers[i]);
}

static int add_header(struct prepared *prepared, const char *name, const char *value)
{
    char *line;

    if (prepared->header_count == PREPARED_HEADERS_MAX)
        return -E2BIG;
    if (asprintf(&line, "%s: %s", name, value) < 0)
        return -ENOMEM;
    prepared->headers[prepared->header_count++] = line;
    return 0;
}

static int add_token(struct prepared *prepared, const struct s3_keys *keys)
{
    char *line;

    if (!keys->token || keys->token->size == 0)
        return 0;
    if (prepared->header_count == PREPARED_HEADERS_MAX)
        return -E2BIG;
    if (asprintf(&line, "x-amz-security-token: %.*s", (int)keys->token->size,
                 (const char *)keys->token->data) < 0)
        return -ENOMEM;
    prepared->headers[prepared->header_count++] = line;
    return 0;
}

static int set_payload(const struct s3_request *request, struct prepared *prepared)
{
    struct digest digest;
    int r =
        digest_of(DIGEST_SHA256, request->body ? request->body : "", request->body_size, &digest);

    if (r == 0)
        snprintf(prepared->payload, sizeof(prepared->payload), "%s", digest.hex);
    return r;
}

static int set_url(const struct s3_place *place, const struct s3_request *request,
                   struct prepared *prepared)
{
    size_t size;
    FILE *out;
    bool has_failed;
    int r;

    if (place->has_bucket_in_host)
        r = asprintf(&prepared->path, "/%s", request->key);
    else
        r = asprintf(&prepared->path, "/%s%s%s", place->bucket, *request->key ? "/" : "",
                     request->key);
    if (r < 0) {
        prepared->path = NULL;
        return -ENOMEM;
    }
    out = open_memstream(&prepared->url, &size);
    if (!out)
        return -ENOMEM;
    fputs(place->base, out);
    s3_escape(out, prepared->path, "/");
    if (request->query_count > 0)
        fputc('?', out);
    s3_format_query(out, request->query, request->query_count);
    has_failed = ferror(out);
    return fclose(out) == 0 && !has_failed ? 0 : -ENOMEM;
}

int prepared_init(const struct s3_place *place, const struct s3_request *request,
                  struct prepared *ret)
{
    int r;

    *ret = (struct prepared){0};
    r = set_payload(request, ret);
    return r == 0 ? set_url(place, request, ret) : r;
}

static void drop_headers(struct prepared *prepared)
{
    while (prepared->header_count > 0) {
        free(prepared->headers[--prepared->header_count]);
        prepared->headers[prepared->header_count] = NULL;
    }
}

/* Those of the request itself. */
static int add_headers(const struct s3_request *request, struct prepared *prepared)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < request->header_count; i++)
        r = add_header(prepared, request->headers[i].name, request->headers[i].value);
    return r;
}

/* The signature goes into the address, which says how long it is good for. */
static int sign_address(const struct s3_place *place, const struct s3_request *request,
                        const struct s3_keys *keys, const struct s3_message *message, time_t now,
                        struct prepared *prepared)
{
    CLEANUP_FREE char *target = NULL;
    char *url;
    int r = s3_presign(keys, place->region, message, now, request->expires_s, &target);

    if (r < 0)
        return r;
    if (asprintf(&url, "%s%s", place->base, target) < 0)
        return -ENOMEM;
    free(prepared->url);
    prepared->url = url;
    drop_headers(prepared);
    return add_headers(request, prepared);
}

static int sign_headers(const struct s3_place *place, const struct s3_request *request,
                        const struct s3_keys *keys, const struct s3_message *message, time_t now,
                        struct prepared *prepared)
{
    struct s3_signature signature;
    int r = s3_sign(keys, place->region, message, now, &signature);

    drop_headers(prepared);
    if (r == 0)
        r = add_headers(request, prepared);
    if (r == 0)
        r = add_header(prepared, "x-amz-content-sha256", prepared->payload);
    if (r == 0)
        r = add_header(prepared, "x-amz-date", signature.date);
    if (r == 0)
        r = add_token(prepared, keys);
    return r == 0 ? add_header(prepared, "authorization", signature.authorization) : r;
}

int prepared_sign(const struct s3_place *place, const struct s3_request *request,
                  const struct s3_keys *keys, time_t now, struct prepared *prepared)
{
    const struct s3_message message = {
        .method = request->method,
        .host = place->host,
        .path = prepared->path,
        .payload = prepared->payload,
        .query = request->query,
        .query_count = request->query_count,
        .headers = request->headers,
        .header_count = request->header_count,
    };

    return request->expires_s ? sign_address(place, request, keys, &message, now, prepared)
                              : sign_headers(place, request, keys, &message, now, prepared);
}
