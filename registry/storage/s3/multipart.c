#include "registry/storage/s3/multipart.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/session.h"
#include "registry/storage/s3/xml.h"

enum { ANSWER_MAX = 4 << 20, NUMBER_SIZE = 16, PARTS_MAX = 10000, ETAG_MAX = 64 };

/* Sends a request. 0 with an answer of 200 that is the caller's, STORAGE_NOT_FOUND or negative. */
static int send_request(struct s3 *s3, const char *key, struct s3_request *request,
                        struct s3_answer *ret, struct error *err)
{
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    int r;

    if (!full)
        return error_set_oom(err);
    request->key = full;
    request->limit = ANSWER_MAX;
    r = s3_call(s3->client, request, ret, err);
    if (r < 0 || ret->status == 200)
        return r;
    r = ret->status == 404 ? STORAGE_NOT_FOUND : s3_answer_fail(ret, request, err);
    s3_answer_done(ret);
    return r;
}

/* The same if a missing upload or object is a failure. */
static int send_to_existing(struct s3 *s3, const char *key, struct s3_request *request,
                            struct s3_answer *ret, struct error *err)
{
    int r = send_request(s3, key, request, ret, err);

    return r > 0 ? error_set(err, EIO, "the store answered 404 to a part or copy of %s", key) : r;
}

static int note_id(void *object, const char *path, const char *text)
{
    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0)
        snprintf(object, S3_UPLOAD_ID_MAX + 1, "%s", text);
    return 0;
}

int multipart_start(struct s3 *s3, const char *key, char *ret_id, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const struct s3_pair query = {"uploads", ""};
    struct s3_pair headers[S3_OBJECT_HEADERS_MAX];
    struct s3_request request = {.method = "POST",
                                 .query = &query,
                                 .query_count = 1,
                                 .headers = headers,
                                 .header_count = s3_add_headers(s3, headers, 0)};
    int r = send_to_existing(s3, key, &request, &answer, err);

    if (r == 0)
        r = xml_parse(answer.bytes, answer.size, note_id, ret_id, err);
    if (r == 0 && !*ret_id)
        r = error_set(err, EBADMSG, "the store gives the upload to %s no id", key);
    return r;
}

int multipart_put(struct s3 *s3, const char *key, const char *id, unsigned number, const void *data,
                  size_t size, char ret_etag[S3_ETAG_SIZE + 2], struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const char *etag;
    char text[NUMBER_SIZE];
    int r;
    const struct s3_pair query[] = {{"partNumber", text}, {"uploadId", id}};
    struct s3_request request = {
        .method = "PUT", .query = query, .query_count = 2, .body = data, .body_size = size};

    snprintf(text, sizeof(text), "%u", number);
    r = send_to_existing(s3, key, &request, &answer, err);
    if (r < 0)
        return r;
    etag = s3_answer_get_header(&answer, "etag");
    if (!etag || strlen(etag) >= S3_ETAG_SIZE + 2)
        return error_set(err, EBADMSG, "the store gives a part of %s no ETag", key);
    memcpy(ret_etag, etag, strlen(etag) + 1);
    return 0;
}

int multipart_abort(struct s3 *s3, const char *key, const char *id, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const struct s3_pair query = {"uploadId", id};
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    const struct s3_request request = {
        .method = "DELETE", .key = full, .query = &query, .query_count = 1};

    return full ? s3_call(s3->client, &request, &answer, err) : error_set_oom(err);
}

/* --- completing ------------------------------------------------------------------------------ */

/* The list of the parts, as it is read and as it is sent back. */
struct parts {
    FILE *out;
    unsigned wanted, found;
    uint64_t size;
    char chain[SESSION_CHAIN_SIZE];
    char etag[ETAG_MAX], number[NUMBER_SIZE], next[NUMBER_SIZE];
    uint64_t part_size;
    bool is_truncated;
};

static int note_part(void *object, const char *path, const char *text)
{
    struct parts *parts = object;

    if (strcmp(path, "ListPartsResult/Part/PartNumber") == 0)
        snprintf(parts->number, sizeof(parts->number), "%s", text);
    else if (strcmp(path, "ListPartsResult/Part/ETag") == 0)
        snprintf(parts->etag, sizeof(parts->etag), "%s", text);
    else if (strcmp(path, "ListPartsResult/Part/Size") == 0)
        parts->part_size = strtoull(text, NULL, 10);
    else if (strcmp(path, "ListPartsResult/IsTruncated") == 0)
        parts->is_truncated = strcmp(text, "true") == 0;
    else if (strcmp(path, "ListPartsResult/NextPartNumberMarker") == 0)
        snprintf(parts->next, sizeof(parts->next), "%s", text);
    if (strcmp(path, "ListPartsResult/Part") != 0 ||
        strtoul(parts->number, NULL, 10) != parts->found + 1 || parts->found == parts->wanted)
        return 0;
    parts->found++;
    parts->size += parts->part_size;
    session_chain(parts->chain, parts->etag);
    fprintf(parts->out, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", parts->found,
            parts->etag);
    return 0;
}

static int list_parts(struct s3 *s3, const char *key, const char *id, struct parts *parts,
                      struct error *err)
{
    int r;

    do {
        CLEANUP(s3_answer_done) struct s3_answer answer = {0};
        char marker[NUMBER_SIZE];
        const struct s3_pair query[] = {{"uploadId", id}, {"part-number-marker", marker}};
        struct s3_request request = {.method = "GET", .query = query, .query_count = 2};

        memcpy(marker, *parts->next ? parts->next : "0", *parts->next ? sizeof(marker) : 2);
        parts->is_truncated = false;
        r = send_request(s3, key, &request, &answer, err);
        if (r == 0)
            r = xml_parse(answer.bytes, answer.size, note_part, parts, err);
    } while (r == 0 && parts->is_truncated && parts->found < parts->wanted);
    return r;
}

int multipart_complete(struct s3 *s3, const char *key, const char *id, unsigned count,
                       uint64_t size, const char *chain, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    CLEANUP_FREE char *body = NULL;
    size_t body_size;
    struct parts parts = {.out = open_memstream(&body, &body_size), .wanted = count};
    const struct s3_pair query = {"uploadId", id};
    struct s3_request request = {.method = "POST", .query = &query, .query_count = 1};
    bool has_failed;
    int r;

    if (!parts.out)
        return error_set_oom(err);
    fputs("<CompleteMultipartUpload>", parts.out);
    r = list_parts(s3, key, id, &parts, err);
    fputs("</CompleteMultipartUpload>", parts.out);
    has_failed = ferror(parts.out);
    if (fclose(parts.out) != 0 || has_failed)
        return error_set_oom(err);
    if (r != 0)
        return r;
    if (parts.found != count || parts.size != size)
        return error_set(
            err, EIO, "the store has %u parts with %" PRIu64 " bytes of %s, not %u with %" PRIu64,
            parts.found, parts.size, key, count, size);
    if (chain && strcmp(parts.chain, chain) != 0)
        return error_set(err, EIO, "another process has replaced parts of %s", key);
    request.body = body;
    request.body_size = body_size;
    return send_request(s3, key, &request, &answer, err);
}

/* --- copying --------------------------------------------------------------------------------- */

/* "/bucket/key", escaped. Free with free(). */
static char *copy_source(const struct s3 *s3, const char *key)
{
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    char *text = NULL;
    size_t size;
    FILE *out = full ? open_memstream(&text, &size) : NULL;

    if (!out)
        return NULL;
    fputc('/', out);
    s3_escape(out, s3_client_get_bucket(s3->client), "");
    fputc('/', out);
    s3_escape(out, full, "/");
    return fclose(out) == 0 ? text : NULL;
}

static int copy_part(struct s3 *s3, const char *source, const char *to, const char *id,
                     unsigned number, uint64_t first, uint64_t end, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    char range[64], text[NUMBER_SIZE];
    const struct s3_pair headers[] = {{"x-amz-copy-source", source},
                                      {"x-amz-copy-source-range", range}};
    const struct s3_pair query[] = {{"partNumber", text}, {"uploadId", id}};
    struct s3_request request = {
        .method = "PUT", .headers = headers, .header_count = 2, .query = query, .query_count = 2};

    snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, first, end - 1);
    snprintf(text, sizeof(text), "%u", number);
    return send_to_existing(s3, to, &request, &answer, err);
}

static int copy_in_parts(struct s3 *s3, const char *source, uint64_t size, const char *to,
                         struct error *err)
{
    uint64_t least = size / PARTS_MAX + 1, usual = s3->options.copy_part_size;
    const uint64_t step = usual > least ? usual : least;
    char id[S3_UPLOAD_ID_MAX + 1] = "";
    unsigned number = 0;
    int r = multipart_start(s3, to, id, err);

    for (uint64_t at = 0; r == 0 && at < size; at += step)
        r = copy_part(s3, source, to, id, ++number, at, at + step < size ? at + step : size, err);
    if (r == 0)
        r = multipart_complete(s3, to, id, number, size, NULL, err);
    return r > 0 ? error_set(err, EIO, "the parts of %s are gone", to) : r;
}

int multipart_copy(struct s3 *s3, const char *from, uint64_t size, const char *to,
                   struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    CLEANUP_FREE char *source = copy_source(s3, from);
    struct s3_pair headers[1 + S3_OBJECT_HEADERS_MAX] = {{"x-amz-copy-source", source}};
    struct s3_request request = {
        .method = "PUT", .headers = headers, .header_count = s3_add_headers(s3, headers, 1)};

    if (!source)
        return error_set_oom(err);
    if (size > s3->options.copy_threshold)
        return copy_in_parts(s3, source, size, to, err);
    return send_to_existing(s3, to, &request, &answer, err);
}
