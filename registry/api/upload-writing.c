/*
 * Writes the body of a request to an upload session, within the quotas, and commits the session.
 */
#include "registry/api/upload-writing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/fairness.h"
#include "registry/core/quota.h"

void writing_release(struct call *call)
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

void writing_release_at_end(struct call *call)
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
    writing_release(call);
}

static bool notify_of_memory(void *object, void (*ready)(void *object), void *ready_object)
{
    return upload_notify(object, ready, ready_object);
}

/* After upload_reserve() or upload_prepare_end(). HTTP_MORE: the call can go on. */
static enum http_result after_reserving(struct call *call, int r)
{
    struct writing *writing = call->state;

    if (r == STORE_BUSY)
        return call_wait(call, notify_of_memory, writing->upload);
    if (r < 0)
        writing->state = WRITING_FAILED;
    return HTTP_MORE;
}

enum http_result writing_prepare_end(struct call *call)
{
    struct writing *writing = call->state;

    if (!call_is_on_worker(call))
        return call_move(call);
    if (!writing || writing->state != WRITING_OPEN)
        return HTTP_MORE;
    return after_reserving(call, upload_prepare_end(writing->upload, &writing->err));
}

static enum http_result write_piece(struct writing *writing, const void *data, size_t size)
{
    writing->received += size;
    if (writing->received > writing->room)
        writing->state = WRITING_OVER_QUOTA;
    else if (upload_write(writing->upload, data, size, &writing->err) < 0)
        writing->state = WRITING_FAILED;
    return HTTP_MORE;
}

enum http_result writing_receive(struct call *call, const void *data, size_t size)
{
    struct writing *writing = call->state;

    if (!writing || writing->state != WRITING_OPEN)
        return HTTP_MORE;
    if (!call_is_on_worker(call) && upload_would_wait(writing->upload, size))
        return call_move(call);
    if (call_is_on_worker(call)) {
        int r = upload_reserve(writing->upload, size, &writing->err);

        if (r != 0)
            return after_reserving(call, r);
    }
    return write_piece(writing, data, size);
}

struct writing *writing_start(struct call *call, struct response *response, struct upload *upload)
{
    struct writing *writing = calloc(1, sizeof(*writing));

    if (!writing) {
        upload_release(upload);
        response_fail_oom(response);
        return NULL;
    }
    upload_set_owner(upload, fairness_get_owner(call)->principal);
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
        response_deny(response, 413, words, NULL);
}

void writing_check_room(struct call *call, struct response *response, struct writing *writing)
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

/* --- the end of a body --------------------------------------------------------------------- */

static void refuse_mismatch(struct response *response, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE], detail[DIGEST_TEXT_SIZE + 40];

    digest_format(digest, text);
    snprintf(detail, sizeof(detail), "{\"Digest\":\"%s\",\"Reason\":{}}", text);
    response_refuse(response, ERROR_CODE_DIGEST_INVALID, detail);
}

void writing_commit(struct call *call, struct response *response)
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
        upload_answer_created(call, response, &writing->digest);
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

bool writing_is_received(const struct call *call, struct writing *writing,
                         struct response *response)
{
    if (writing->state != WRITING_FAILED && upload_flush(writing->upload, &writing->err) < 0)
        writing->state = WRITING_FAILED;
    if (writing->state == WRITING_FAILED)
        response_fail(response, &writing->err);
    else if (writing->state == WRITING_OVER_QUOTA)
        refuse_overflow(call, writing, response);
    else if (writing->expected && writing->expected != writing->received)
        answer_invalid(response, ERROR_CODE_SIZE_INVALID,
                       "Content-Range announces %" PRIu64 " bytes, but %" PRIu64 " were received",
                       writing->expected, writing->received);
    else
        return true;
    return false;
}
