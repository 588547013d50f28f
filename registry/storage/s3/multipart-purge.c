/*
 * Multipart uploads that nothing names. A crash between the start of one and the write of the state
 * that names it leaves one behind, and so does a crash while an object is copied in parts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/multipart.h"
#include "registry/storage/s3/session.h"
#include "registry/storage/s3/xml.h"

/* No request of a server goes on for that long. */
enum { UNNAMED_AGE_S = 7 * 24 * 60 * 60, ANSWER_MAX = 4 << 20, PAGE_MAX = 1000 };

#define UPLOAD "ListMultipartUploadsResult/Upload"

/* One that a page lists. */
struct found {
    char key[S3_KEY_MAX + 1]; /* without the prefix of all keys */
    char id[S3_UPLOAD_ID_MAX + 1];
};

struct purge {
    struct s3 *s3;
    int64_t before_s;

    /* the page */
    struct found next; /* being read */
    int64_t started_s;
    struct found *old; /* that old */
    size_t count;
    bool is_truncated;
    char key_marker[S3_KEY_MAX + 1], id_marker[S3_UPLOAD_ID_MAX + 1];
};

static void purge_done(struct purge *purge)
{
    free(purge->old);
}

static void take_text(char *ret, size_t size, const char *text)
{
    snprintf(ret, size, "%s", strlen(text) < size ? text : "");
}

/* The end of an entry: remembers it if it is old. 0 or -ENOMEM. */
static int note_upload(struct purge *purge)
{
    bool is_old = *purge->next.key && *purge->next.id && purge->started_s > 0 &&
                  purge->started_s < purge->before_s;

    if (is_old && !purge->old)
        purge->old = calloc(PAGE_MAX, sizeof(*purge->old));
    if (is_old && !purge->old)
        return -ENOMEM;
    if (is_old && purge->count < PAGE_MAX)
        purge->old[purge->count++] = purge->next;
    purge->next = (struct found){0};
    purge->started_s = 0;
    return 0;
}

static int note_element(void *object, const char *path, const char *text)
{
    struct purge *purge = object;
    size_t prefix_size = strlen(purge->s3->prefix);

    if (strcmp(path, UPLOAD) == 0)
        return note_upload(purge);
    if (strcmp(path, UPLOAD "/Key") == 0 && strncmp(text, purge->s3->prefix, prefix_size) == 0)
        take_text(purge->next.key, sizeof(purge->next.key), text + prefix_size);
    else if (strcmp(path, UPLOAD "/UploadId") == 0)
        take_text(purge->next.id, sizeof(purge->next.id), text);
    else if (strcmp(path, UPLOAD "/Initiated") == 0)
        purge->started_s = s3_time_of(purge->s3, s3_parse_stamp(text));
    else if (strcmp(path, "ListMultipartUploadsResult/IsTruncated") == 0)
        purge->is_truncated = strcmp(text, "true") == 0;
    else if (strcmp(path, "ListMultipartUploadsResult/NextKeyMarker") == 0)
        take_text(purge->key_marker, sizeof(purge->key_marker), text);
    else if (strcmp(path, "ListMultipartUploadsResult/NextUploadIdMarker") == 0)
        take_text(purge->id_marker, sizeof(purge->id_marker), text);
    return 0;
}

/* Whether the store or its policy does not let this client list multipart uploads. */
static bool is_refused(const struct s3_answer *answer)
{
    return answer->status == 403 || answer->status == 405 || answer->status == 501;
}

/* 0, STORAGE_NOT_FOUND if they cannot be listed, or negative. */
static int fetch_page(struct purge *purge, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const struct s3_pair query[] = {{"uploads", ""},
                                    {"prefix", purge->s3->prefix},
                                    {"key-marker", purge->key_marker},
                                    {"upload-id-marker", purge->id_marker}};
    const struct s3_request request = {.method = "GET",
                                       .key = "",
                                       .query = query,
                                       .query_count = *purge->key_marker ? 4 : 2,
                                       .limit = ANSWER_MAX};
    int r = s3_call(purge->s3->client, &request, &answer, err);

    if (r < 0)
        return r;
    if (is_refused(&answer))
        return STORAGE_NOT_FOUND;
    if (answer.status != 200)
        return s3_answer_fail(&answer, &request, err);
    purge->count = 0;
    purge->is_truncated = false;
    return xml_parse(answer.bytes, answer.size, note_element, purge, err);
}

/* Whether a state names it. 1 or 0, or negative. */
static int is_named(struct s3 *s3, const struct found *found, struct error *err)
{
    CLEANUP_FREE char *tail = NULL;
    struct session session;
    int r = session_read(s3, found->key, &session, &tail, err);

    if (r == -EBADMSG) /* of another version: whoever wrote it removes it */
        return 1;
    if (r != 0)
        return r < 0 ? r : 0;
    return strcmp(session.id, found->id) == 0;
}

static int end_page(const struct purge *purge, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < purge->count; i++) {
        r = is_named(purge->s3, &purge->old[i], err);
        if (r == 0)
            r = multipart_abort(purge->s3, purge->old[i].key, purge->old[i].id, err);
    }
    return r < 0 ? r : 0;
}

int multipart_purge(struct s3 *s3, int64_t age_s, struct error *err)
{
    CLEANUP(purge_done)
    struct purge purge = {.s3 = s3,
                          .before_s = storage_now(&s3->storage) -
                                      (age_s > UNNAMED_AGE_S ? age_s : UNNAMED_AGE_S)};
    int r;

    do {
        r = fetch_page(&purge, err);
        if (r == 0)
            r = end_page(&purge, err);
    } while (r == 0 && purge.is_truncated && *purge.key_marker);
    return r < 0 ? r : 0;
}
