/*
 * Uploads blobs (end-4, end-5, end-6 and end-11 of the specification). Event threads write the
 * bytes to the session as they arrive; everything that changes directories runs on workers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/fairness.h"
#include "registry/api/upload-answer.h"
#include "registry/core/quota.h"
#include "registry/spec/escape.h"
#include "registry/spec/name.h"
#include "registry/spec/range.h"

/* An upload session while a request writes to it. */
struct writing {
    struct upload *upload;
    struct digest digest; /* the expected digest of the blob */
    bool has_digest;
    bool has_failed; /* the reason is in err */
    struct error err;
    uint64_t expected; /* the length that Content-Range announces; 0: none */
    uint64_t received;
    uint64_t room;      /* how many bytes the quotas still allow; UINT64_MAX: no limit */
    bool is_over_quota; /* writing has stopped */
};

static void release(struct call *call)
{
    struct writing *writing = call->state;

    if (writing)
        upload_release(writing->upload);
    free(writing);
    call->state = NULL;
}

/* An upload whose client has gone. */
struct leaving {
    struct job job;
    struct upload *upload;
};

static void leave(struct job *job)
{
    struct leaving *leaving = (struct leaving *)job; /* its first member */

    upload_release(leaving->upload);
    free(leaving);
}

/* The end of a request is on its event thread, which must not wait for a remote storage. */
static void release_at_end(struct call *call)
{
    struct writing *writing = call->state;
    struct leaving *leaving =
        writing && store_is_remote(api_of(call)->store) ? malloc(sizeof(*leaving)) : NULL;

    if (leaving) {
        *leaving = (struct leaving){.job.run = leave, .upload = steal_ptr(&writing->upload)};
        if (worker_pool_submit(api_of(call)->workers, fairness_get_owner(call), 0, &leaving->job) <
            0)
            leave(&leaving->job);
    }
    release(call);
}

/*
 * Releases the session before the answer is sent, because the client's next request may arrive
 * before this one is over.
 */
static enum http_result let_go_if_refused(struct call *call, const struct response *response)
{
    if (response->status)
        release(call);
    return HTTP_DONE;
}

static enum http_result receive(struct call *call, const void *data, size_t size)
{
    struct writing *writing = call->state;

    if (!writing || writing->has_failed || writing->is_over_quota)
        return HTTP_MORE;
    if (!call_is_on_worker(call) && upload_would_wait(writing->upload, size))
        return call_move(call);
    writing->received += size;
    writing->is_over_quota = writing->received > writing->room;
    if (writing->is_over_quota)
        return HTTP_MORE;
    writing->has_failed = upload_write(writing->upload, data, size, &writing->err) < 0;
    return HTTP_MORE;
}

/* Takes ownership of upload. NULL: out of memory, and response says so. */
static struct writing *start_writing(struct call *call, struct response *response,
                                     struct upload *upload)
{
    struct writing *writing = calloc(1, sizeof(*writing));

    if (!writing) {
        upload_release(upload);
        response_fail_oom(response);
        return NULL;
    }
    writing->upload = upload;
    writing->room = UINT64_MAX;
    call->state = writing;
    return writing;
}

/* --- quotas ------------------------------------------------------------------------- */

/*
 * Refuses the upload and cancels it: its bytes are useless and would stay until old uploads are
 * purged.
 */
static void refuse_quota(struct writing *writing, struct response *response, const char *words)
{
    struct error ignored;

    if (upload_cancel(writing->upload, &ignored) < 0)
        response_fail(response, &ignored);
    else
        response_refuse_quota(response, words);
}

/*
 * Called before the body: refuses a body that is too large for the quotas, and records how many
 * bytes are allowed. A blob that the quotas already count needs no room.
 */
static void check_room(struct call *call, struct response *response, struct writing *writing)
{
    struct store *store = api_of(call)->store;
    int64_t body_size = call_get_body_size(call);
    uint64_t before = upload_get_size(writing->upload),
             wanted = before + (body_size > 0 ? (uint64_t)body_size : 0), room;
    struct error err = {0};
    int r =
        writing->has_digest ? store_is_counted(store, call->route.name, &writing->digest, &err) : 0;

    if (r != 0 && r >= 0)
        return;
    if (r == 0)
        r = store_find_room(store, call->route.name, body_size < 0 ? before + 1 : wanted, &room,
                            &err);
    if (r < 0)
        response_fail(response, &err);
    else if (room < wanted || (body_size < 0 && room <= before))
        refuse_quota(writing, response, err.text);
    else
        writing->room = room == UINT64_MAX ? room : room - before;
}

/* --- digests in queries ------------------------------------------------------------- */

/*
 * Returns 0, -ENOENT if the query has no digest, or -EINVAL if the digest is invalid or not
 * supported.
 */
static int find_digest(const struct call *call, const char *key, struct digest *ret)
{
    char text[DIGEST_TEXT_SIZE * 2];
    int r = escape_find(call->query, key, text, sizeof(text));

    if (r == -ENOENT || (r == 0 && !*text))
        return -ENOENT;
    return r == 0 && digest_parse(text, strlen(text), ret) == 0 ? 0 : -EINVAL;
}

static void refuse_unreadable_digest(struct response *response)
{
    response_refuse(response, ERROR_CODE_DIGEST_INVALID, "\"digest parsing failed\"");
}

static void refuse_mismatch(struct response *response, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE], detail[DIGEST_TEXT_SIZE + 40];

    digest_format(digest, text);
    snprintf(detail, sizeof(detail), "{\"Digest\":\"%s\",\"Reason\":{}}", text);
    response_refuse(response, ERROR_CODE_DIGEST_INVALID, detail);
}

/*
 * Finds the algorithm of the blob's digest: that of the query's digest, or digest-algorithm, or
 * sha256.
 */
static int get_algorithm(const struct call *call, struct response *response,
                         const struct writing *wish, enum digest_algorithm *ret)
{
    char text[32];
    int r = escape_find(call->query, "digest-algorithm", text, sizeof(text));

    *ret = wish->has_digest ? wish->digest.algorithm : DIGEST_SHA256;
    if (r == -ENOENT)
        return 0;
    if (r == 0 && digest_algorithm_parse(text, strlen(text), ret) == 0)
        return 0;
    answer_invalid(response, ERROR_CODE_UNSUPPORTED, "digest-algorithm must be sha256 or sha512");
    response->status = 400;
    return -EINVAL;
}

/* --- committing a blob --------------------------------------------------------------- */

static void answer_created(const struct call *call, struct response *response,
                           const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    response_set_empty(response, 201);
    answer_location(call, response, "%s/blobs/%s", call->route.name, text);
    answer_digest(response, digest);
}

static void commit(struct call *call, struct response *response)
{
    struct writing *writing = call->state;
    struct error err = {0};
    int r = upload_commit(writing->upload, &writing->digest, call_get_actor(call), &err);

    if (r < 0) {
        response_fail(response, &err);
    } else if (r == STORE_OVER_QUOTA) {
        refuse_quota(writing, response, err.text);
    } else if (r == STORE_DIGEST_MISMATCH) {
        /* As in registry:2, a client whose bytes do not match the digest must start again. */
        if (upload_cancel(writing->upload, &err) < 0)
            response_fail(response, &err);
        else
            refuse_mismatch(response, &writing->digest);
    } else {
        answer_created(call, response, &writing->digest);
    }
}

/* Refuses a body with more bytes than the quotas allow. The message says how much is in use now. */
static void refuse_overflow(const struct call *call, struct writing *writing,
                            struct response *response)
{
    uint64_t room, wanted = upload_get_size(writing->upload) + writing->received;
    struct error err = {0};

    if (store_find_room(api_of(call)->store, call->route.name, wanted, &room, &err) < 0)
        response_fail(response, &err);
    else
        refuse_quota(writing, response,
                     *err.text ? err.text : "the quota has no room for this upload; try again");
}

/*
 * Returns whether the body was written and has the length that Content-Range announced. If not,
 * sets the refusal.
 */
static bool is_received(const struct call *call, struct writing *writing, struct response *response)
{
    if (!writing->has_failed)
        writing->has_failed = upload_flush(writing->upload, &writing->err) < 0;
    if (writing->has_failed)
        response_fail(response, &writing->err);
    else if (writing->is_over_quota)
        refuse_overflow(call, writing, response);
    else if (writing->expected && writing->expected != writing->received)
        answer_invalid(response, ERROR_CODE_SIZE_INVALID,
                       "Content-Range announces %" PRIu64 " bytes, but %" PRIu64 " were received",
                       writing->expected, writing->received);
    else
        return true;
    return false;
}

/* --- POST ---------------------------------------------------------------------------- */

static void start_session(struct call *call, struct response *response, const struct writing *wish)
{
    enum digest_algorithm algorithm;
    struct upload *upload;
    struct writing *writing;
    struct error err = {0};

    if (get_algorithm(call, response, wish, &algorithm) < 0)
        return;
    if (store_upload_create(api_of(call)->store, call->route.name, algorithm, &upload, &err) < 0) {
        response_fail(response, &err);
        return;
    }
    writing = start_writing(call, response, upload);
    if (!writing)
        return;
    writing->digest = wish->digest;
    writing->has_digest = wish->has_digest;
    if (writing->has_digest)
        check_room(call, response, writing);
}

/*
 * Mounts a blob from another repository (end-11). Returns false if it is not found or not
 * permitted; then a session begins.
 */
static bool mount(struct call *call, struct response *response)
{
    struct digest digest;
    char from[NAME_MAX_SIZE + 1];
    struct error err = {0};
    int found, r = find_digest(call, "mount", &digest);

    if (r < 0)
        return false;
    found = escape_find(call->query, "from", from, sizeof(from));
    if (found == 0 && !name_is_repository(from, strlen(from)))
        return false;
    /* Without "from" the blob may come from any repository; call->may_mount considers that. */
    if (!call->may_mount)
        return false;
    r = store_mount_blob(api_of(call)->store, call->route.name, &digest, found == 0 ? from : NULL,
                         call_get_actor(call), &err);
    if (r < 0)
        response_fail(response, &err);
    else if (r == STORE_OVER_QUOTA)
        response_refuse_quota(response, err.text);
    else if (r == 0)
        answer_created(call, response, &digest);
    return r != STORE_NOT_FOUND;
}

static enum http_result begin_start(struct call *call, struct response *response)
{
    struct writing wish = {0};
    int r;

    if (!call_is_on_worker(call))
        return call_move(call);
    if (answer_if_read_only(call, response) || mount(call, response))
        return HTTP_DONE;
    r = find_digest(call, "digest", &wish.digest);
    if (r == -EINVAL) {
        refuse_unreadable_digest(response);
        return HTTP_DONE;
    }
    wish.has_digest = r == 0;
    start_session(call, response, &wish);
    return let_go_if_refused(call, response);
}

static bool is_of_nothing(const struct digest *digest)
{
    struct digest nothing;

    return digest_of(digest->algorithm, "", 0, &nothing) == 0 && digest_is_equal(&nothing, digest);
}

static enum http_result answer_start(struct call *call, struct response *response)
{
    struct writing *writing = call->state;

    if (!call_is_on_worker(call))
        return call_move(call);
    if (!is_received(call, writing, response))
        return let_go_if_refused(call, response);
    /*
     * A digest with a body, or the digest of the empty blob, uploads a whole blob. Otherwise a
     * session begins.
     */
    if (writing->has_digest && (writing->received > 0 || is_of_nothing(&writing->digest)))
        commit(call, response);
    else
        upload_answer(call, response, upload_get_id(writing->upload),
                      upload_get_size(writing->upload));
    release(call);
    return HTTP_DONE;
}

/* Without a digest, the specification gives the body no meaning, so it is discarded. */
static enum http_result receive_start(struct call *call, const void *data, size_t size)
{
    const struct writing *writing = call->state;

    return writing && writing->has_digest ? receive(call, data, size) : HTTP_MORE;
}

/* --- PATCH and PUT ------------------------------------------------------------------- */

/* Like upload_open(), but stores the session in call->state. */
static enum http_result open_session(struct call *call, struct response *response)
{
    struct upload *upload = NULL;
    enum http_result result = upload_open(call, response, &upload);

    if (upload)
        start_writing(call, response, upload);
    return result;
}

/*
 * Chunks must come in order (end-5). If one starts elsewhere, the refusal says where the next one
 * must start.
 */
static void check_content_range(struct call *call, struct response *response,
                                struct writing *writing)
{
    const char *header = call_get_header(call, "Content-Range");
    uint64_t first, last;

    if (!header)
        return;
    if (range_parse_content(header, &first, &last) < 0) {
        answer_invalid(response, ERROR_CODE_RANGE_INVALID, "Content-Range must be <first>-<last>");
        response->status = 400;
    } else if (first != upload_get_size(writing->upload)) {
        response_refuse(response, ERROR_CODE_RANGE_INVALID, NULL);
        upload_add_headers(call, response, call->route.upload, upload_get_size(writing->upload));
    } else if (call_get_body_size(call) >= 0 &&
               (uint64_t)call_get_body_size(call) != last - first + 1) {
        response_refuse(response, ERROR_CODE_SIZE_INVALID, NULL);
    } else {
        writing->expected = last - first + 1;
    }
}

static enum http_result begin_patch(struct call *call, struct response *response)
{
    if (!call_is_on_worker(call))
        return call_move(call);
    if (answer_if_read_only(call, response))
        return HTTP_DONE;
    if (open_session(call, response) == HTTP_ON_WORKER)
        return HTTP_ON_WORKER;
    if (call->state)
        check_content_range(call, response, call->state);
    if (call->state && !response->status)
        check_room(call, response, call->state);
    return let_go_if_refused(call, response);
}

static enum http_result answer_patch(struct call *call, struct response *response)
{
    struct writing *writing = call->state;

    if (!call_is_on_worker(call))
        return call_move(call);
    if (is_received(call, writing, response)) {
        struct error err = {0};

        if (upload_keep(writing->upload, &err) < 0)
            response_fail(response, &err);
        else
            upload_answer(call, response, upload_get_id(writing->upload),
                          upload_get_size(writing->upload));
    }
    release(call);
    return HTTP_DONE;
}

static enum http_result begin_put(struct call *call, struct response *response)
{
    struct digest digest;
    struct writing *writing;
    int r = find_digest(call, "digest", &digest);

    if (!call_is_on_worker(call))
        return call_move(call);
    if (r == -ENOENT)
        response_refuse(response, ERROR_CODE_DIGEST_INVALID, "\"digest missing\"");
    else if (r < 0)
        refuse_unreadable_digest(response);
    if (r < 0 || answer_if_read_only(call, response))
        return HTTP_DONE;
    if (open_session(call, response) == HTTP_ON_WORKER)
        return HTTP_ON_WORKER;
    writing = call->state;
    if (!writing)
        return HTTP_DONE;
    writing->digest = digest;
    writing->has_digest = true;
    if (call_get_body_size(call) != 0)
        check_content_range(call, response, writing);
    if (!response->status)
        check_room(call, response, writing);
    return let_go_if_refused(call, response);
}

static enum http_result answer_put(struct call *call, struct response *response)
{
    if (!call_is_on_worker(call))
        return call_move(call);
    if (is_received(call, call->state, response))
        commit(call, response);
    release(call);
    return HTTP_DONE;
}

const struct endpoint endpoint_upload_start = {
    .begin = begin_start, .receive = receive_start, .answer = answer_start,
    .release = release_at_end,
};
const struct endpoint endpoint_upload_patch = {
    .begin = begin_patch, .receive = receive, .answer = answer_patch,
    .release = release_at_end,
};
const struct endpoint endpoint_upload_put = {
    .begin = begin_put, .receive = receive, .answer = answer_put,
    .release = release_at_end,
};
