/*
 * Uploads blobs (end-4, end-5, end-6 and end-11 of the specification). Event threads write the
 * bytes to the session as they arrive; everything that changes directories runs on workers.
 */
#include <errno.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/upload-writing.h"
#include "registry/spec/escape.h"
#include "registry/spec/name.h"
#include "registry/spec/range.h"

/*
 * Releases the session before the answer is sent, because the client's next request may arrive
 * before this one is over.
 */
static enum http_result let_go_if_refused(struct call *call, const struct response *response)
{
    if (response->status)
        writing_release(call);
    return HTTP_DONE;
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
    writing = writing_start(call, response, upload);
    if (!writing)
        return;
    writing->digest = wish->digest;
    writing->has_digest = wish->has_digest;
    if (writing->has_digest)
        writing_check_room(call, response, writing);
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
        response_deny(response, 413, err.text, NULL);
    else if (r == 0)
        upload_answer_created(call, response, &digest);
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

/* The session is kept before the client is told of it. */
static void answer_kept(const struct call *call, struct response *response)
{
    struct writing *writing = call->state;
    struct error err = {0};

    if (upload_keep(writing->upload, &err) < 0)
        response_fail(response, &err);
    else
        upload_answer(call, response, upload_get_id(writing->upload),
                      upload_get_size(writing->upload));
}

static enum http_result answer_start(struct call *call, struct response *response)
{
    struct writing *writing = call->state;
    enum http_result result = writing_prepare_end(call);

    if (result != HTTP_MORE)
        return result;
    if (!writing_is_received(call, writing, response))
        return let_go_if_refused(call, response);
    /*
     * A digest with a body, or the digest of the empty blob, uploads a whole blob. Otherwise a
     * session begins.
     */
    if (writing->has_digest && (writing->received > 0 || is_of_nothing(&writing->digest)))
        writing_commit(call, response);
    else
        answer_kept(call, response);
    writing_release(call);
    return HTTP_DONE;
}

/* Without a digest, the specification gives the body no meaning, so it is discarded. */
static enum http_result receive_start(struct call *call, const void *data, size_t size)
{
    const struct writing *writing = call->state;

    return writing && writing->has_digest ? writing_receive(call, data, size) : HTTP_MORE;
}

/* --- PATCH and PUT ------------------------------------------------------------------- */

/* Like upload_open(), but stores the session in call->state. */
static enum http_result open_session(struct call *call, struct response *response)
{
    struct upload *upload = NULL;
    enum http_result result = upload_open(call, response, &upload);

    if (upload)
        writing_start(call, response, upload);
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
        writing_check_room(call, response, call->state);
    return let_go_if_refused(call, response);
}

static enum http_result answer_patch(struct call *call, struct response *response)
{
    struct writing *writing = call->state;
    enum http_result result = writing_prepare_end(call);

    if (result != HTTP_MORE)
        return result;
    if (writing_is_received(call, writing, response))
        answer_kept(call, response);
    writing_release(call);
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
        writing_check_room(call, response, writing);
    return let_go_if_refused(call, response);
}

static enum http_result answer_put(struct call *call, struct response *response)
{
    enum http_result result = writing_prepare_end(call);

    if (result != HTTP_MORE)
        return result;
    if (writing_is_received(call, call->state, response))
        writing_commit(call, response);
    writing_release(call);
    return HTTP_DONE;
}

const struct endpoint endpoint_upload_start = {
    .begin = begin_start,
    .receive = receive_start,
    .answer = answer_start,
    .release = writing_release_at_end,
};
const struct endpoint endpoint_upload_patch = {
    .begin = begin_patch,
    .receive = writing_receive,
    .answer = answer_patch,
    .release = writing_release_at_end,
};
const struct endpoint endpoint_upload_put = {
    .begin = begin_put,
    .receive = writing_receive,
    .answer = answer_put,
    .release = writing_release_at_end,
};
