#include "registry/storage/s3/delete-many.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "registry/storage/s3/xml.h"

/* A store may delete the keys one after another before it answers. */
enum { ANSWER_MAX = 4 << 20, DEADLINE_MS = 2 * 60 * 1000, MD5_BYTES = 16, CHECKSUM_SIZE = 64 };

/* --- the body -------------------------------------------------------------------------------- */

static void write_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else
            fputc(*text, out);
    }
}

/* Free with free(). NULL if memory is out. */
static char *format_body(const struct s3 *s3, const char *const *keys, size_t count,
                         size_t *ret_size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_size);
    bool has_failed;

    if (!out)
        return NULL;
    fputs("<Delete>", out);
    for (size_t i = 0; i < count; i++) {
        fputs("<Object><Key>", out);
        write_escaped(out, s3->prefix);
        write_escaped(out, keys[i]);
        fputs("</Key></Object>", out);
    }
    fputs("</Delete>", out);
    has_failed = ferror(out);
    if (fclose(out) == 0 && !has_failed)
        return text;
    free(text);
    return NULL;
}

static void encode(const unsigned char *bytes, size_t size, char *ret)
{
    base64url_encode(bytes, size, ret);
    for (; *ret; ret++)
        *ret = *ret == '-' ? '+' : *ret == '_' ? '/' : *ret;
}

/* S3 refuses this request without a checksum. Every store knows MD5, which FIPS mode forbids. */
static struct s3_pair make_checksum(const char *body, size_t size, char ret_text[CHECKSUM_SIZE])
{
    unsigned char bytes[DIGEST_BYTES_MAX];

    if (gcry_md_test_algo(GCRY_MD_MD5) == 0) {
        gcry_md_hash_buffer(GCRY_MD_MD5, bytes, body, size);
        encode(bytes, MD5_BYTES, ret_text);
        return (struct s3_pair){"content-md5", ret_text};
    }
    digest_bytes_of(DIGEST_SHA256, body, size, bytes);
    encode(bytes, digest_hex_size(DIGEST_SHA256) / 2, ret_text);
    return (struct s3_pair){"x-amz-checksum-sha256", ret_text};
}

/* --- the answer ------------------------------------------------------------------------------ */

struct result {
    size_t deleted;
    char key[S3_KEY_MAX + 1], code[S3_CODE_SIZE]; /* of the element that is being read */
    char failed_key[S3_KEY_MAX + 1], failure[S3_CODE_SIZE]; /* the first */
};

static int note_result(void *object, const char *path, const char *text)
{
    struct result *result = object;

    if (strcmp(path, "DeleteResult/Deleted") == 0) {
        result->deleted++;
    } else if (strcmp(path, "DeleteResult/Error/Key") == 0) {
        snprintf(result->key, sizeof(result->key), "%s", text);
    } else if (strcmp(path, "DeleteResult/Error/Code") == 0) {
        snprintf(result->code, sizeof(result->code), "%s", text);
    } else if (strcmp(path, "DeleteResult/Error") == 0) {
        bool is_missing = strcmp(result->code, "NoSuchKey") == 0;

        result->deleted += is_missing;
        if (!is_missing && !*result->failure) {
            memcpy(result->failed_key, result->key, sizeof(result->key));
            snprintf(result->failure, sizeof(result->failure), "%s",
                     *result->code ? result->code : "an error without a code");
        }
    }
    return 0;
}

static int check_result(const struct s3_answer *answer, size_t count, struct error *err)
{
    struct result result = {0};
    int r = xml_parse(answer->bytes, answer->size, note_result, &result, err);

    if (r < 0)
        return r;
    if (*result.failure)
        return error_set(err, EIO, "the store did not delete %s: %s", result.failed_key,
                         result.failure);
    if (result.deleted != count)
        return error_set(err, EIO, "the store says of %zu of %zu keys that they are deleted",
                         result.deleted, count);
    return 0;
}

/* --- the request ----------------------------------------------------------------------------- */

/* request: the limits of its time. */
static int send_batch(struct s3 *s3, const char *const *keys, size_t count,
                      struct s3_request *request, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    CLEANUP_FREE char *body = format_body(s3, keys, count, &request->body_size);
    const struct s3_pair query = {"delete", ""};
    char checksum[CHECKSUM_SIZE];
    struct s3_pair header;
    int r;

    if (!body)
        return error_set_oom(err);
    header = make_checksum(body, request->body_size, checksum);
    request->method = "POST";
    request->key = "";
    request->query = &query;
    request->query_count = 1;
    request->headers = &header;
    request->header_count = 1;
    request->body = body;
    request->limit = ANSWER_MAX;
    r = s3_call(s3->client, request, &answer, err);
    if (r < 0)
        return r;
    return answer.status == 200 ? check_result(&answer, count, err)
                                : s3_answer_fail(&answer, request, err);
}

int s3_delete_many(struct s3 *s3, const char *const *keys, size_t count, struct error *err)
{
    int r = count == 1 ? s3_delete(s3, keys[0], err) : 0;

    for (size_t i = 0, n; r == 0 && count > 1 && i < count; i += n) {
        struct s3_request request = {.deadline_ms = DEADLINE_MS};

        n = count - i < S3_DELETE_MAX ? count - i : S3_DELETE_MAX;
        r = send_batch(s3, keys + i, n, &request, err);
    }
    return r;
}

int s3_delete_many_soon(struct s3 *s3, const char *const *keys, size_t count, int64_t now_s,
                        struct error *err)
{
    struct s3_request request = {
        .deadline_ms = S3_SOON_S * 1000, .expires_s = S3_SOON_S, .signed_s = now_s - s3->shift_s};

    if (count == 0)
        return 0;
    return count == 1 ? s3_delete_soon(s3, keys[0], now_s, err)
                      : send_batch(s3, keys, count, &request, err);
}
