/*
 * Reads and deletes blobs (end-2 and end-10 of the specification).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/spec/range.h"

enum { FEW_RANGES_SIZE = 512 }; /* the longest Range header that is answered on an event thread */

static const char blob_type[] = "application/octet-stream";

static ssize_t read_blob(void *object, uint64_t offset, void *ret_data, size_t size)
{
    return store_reader_try(object, offset, ret_data, size);
}

static void wait_for_blob(void *object)
{
    store_reader_wait(object);
}

static bool notify_of_blob(void *object, void (*ready)(void *object), void *ready_object)
{
    return store_reader_notify(object, ready, ready_object);
}

static ssize_t borrow_blob(void *object, uint64_t offset, size_t size, const void **ret_data)
{
    return store_reader_borrow(object, offset, size, ret_data);
}

static int get_blob_fd(void *object)
{
    return store_reader_get_fd(object);
}

static void close_blob(void *object)
{
    store_reader_close(object);
}

/* For HEAD, whose answer has a length but no content. */
static ssize_t read_nothing(void *object, uint64_t offset, void *ret_data, size_t size)
{
    (void)object, (void)offset, (void)ret_data, (void)size;
    return -EIO;
}

static void answer_unsatisfiable(struct response *response, uint64_t size)
{
    response_refuse(response, ERROR_CODE_RANGE_INVALID, NULL);
    response_add_header(response, "Content-Range", "bytes */%ju", (uintmax_t)size);
}

/* Whether If-Range is missing or names this blob (RFC 9110 section 13.1.5). A date never does. */
static bool is_same_blob(const struct call *call)
{
    const char *condition = call_get_header(call, "If-Range");
    char etag[ANSWER_ETAG_SIZE];

    answer_format_etag(&call->route.digest, etag);
    return !condition || strcmp(condition, etag) == 0;
}

/*
 * Finds the ranges that the request asks for. *ret_count 0 means the whole blob. Returns false if
 * no range is in the blob.
 */
static bool find_ranges(const struct call *call, uint64_t size, struct response_range *ret_ranges,
                        size_t *ret_count)
{
    const char *header = call->method == ROUTE_METHOD_GET ? call_get_header(call, "Range") : NULL;
    struct range ranges[RANGE_MAX];
    size_t count = 0;

    *ret_count = 0;
    if (!header || !is_same_blob(call))
        return true;
    switch (range_parse(header, size, ranges, &count)) {
    case RANGE_UNSATISFIABLE:
        return false;
    case 0:
        for (size_t i = 0; i < count; i++)
            ret_ranges[i] =
                (struct response_range){.first = ranges[i].first, .size = ranges[i].size};
        *ret_count = count;
        return true;
    default:
        return true;
    }
}

/* A blob that is compared with its digest while it is sent. */
struct checked {
    const struct api *api;
    struct digest canonical;
    struct store_check *check;
};

/* Reports damage, and returns n. */
static ssize_t note_damage(const struct checked *checked, ssize_t n)
{
    if (n == -EBADMSG && checked->api->report_damage)
        checked->api->report_damage(&checked->canonical);
    return n;
}

static ssize_t read_checked(void *object, uint64_t offset, void *ret_data, size_t size)
{
    const struct checked *checked = object;

    return note_damage(checked, store_check_try(checked->check, offset, ret_data, size));
}

static ssize_t borrow_checked(void *object, uint64_t offset, size_t size, const void **ret_data)
{
    const struct checked *checked = object;

    return note_damage(checked, store_check_borrow(checked->check, offset, size, ret_data));
}

static void wait_for_checked(void *object)
{
    const struct checked *checked = object;

    store_check_wait(checked->check);
}

static bool notify_of_checked(void *object, void (*ready)(void *object), void *ready_object)
{
    const struct checked *checked = object;

    return store_check_notify(checked->check, ready, ready_object);
}

static void close_checked(void *object)
{
    struct checked *checked = object;

    store_check_close(checked->check);
    free(checked);
}

/* Takes ownership of reader, also when it fails. */
static int check_while_sending(const struct api *api, const struct store_blob *blob,
                               struct store_reader *reader, struct response_source *ret,
                               struct error *err)
{
    struct checked *checked = malloc(sizeof(*checked));
    int r;

    if (!checked)
        store_reader_close(reader);
    if (!checked)
        return error_set_oom(err);
    *checked = (struct checked){.api = api, .canonical = blob->canonical};
    r = store_check_start(api->store, blob, reader, &checked->check, err);
    if (r < 0)
        free(checked);
    else
        *ret = (struct response_source){.object = checked,
                                        .read = read_checked,
                                        .wait = wait_for_checked,
                                        .notify = notify_of_checked,
                                        .borrow = borrow_checked,
                                        .close = close_checked};
    return r;
}

/*
 * Sets the source of the answer's bytes. A whole blob is compared with its digest, unless that was
 * done recently; a part cannot be compared. Takes ownership of reader, also on failure. 0 or
 * negative.
 */
static int set_source(const struct call *call, const struct store_blob *blob,
                      struct store_reader *reader, bool is_whole, struct response_source *ret,
                      struct error *err)
{
    const struct api *api = api_of(call);

    if (is_whole && !store_is_checked(api->store, blob))
        return check_while_sending(api, blob, reader, ret, err);
    *ret = (struct response_source){.object = reader,
                                    .read = read_blob,
                                    .wait = wait_for_blob,
                                    .notify = notify_of_blob,
                                    .borrow = borrow_blob,
                                    .get_fd = get_blob_fd,
                                    .close = close_blob};
    return 0;
}

/* Takes ownership of reader, which is NULL for HEAD. */
static void send_blob(struct call *call, struct response *response, const struct store_blob *blob,
                      struct store_reader *reader)
{
    struct response_source source = {.read = read_nothing};
    struct response_range ranges[RANGE_MAX];
    struct error err = {0};
    size_t count;
    int r = 0;

    if (!find_ranges(call, blob->size, ranges, &count)) {
        store_reader_close(reader);
        answer_unsatisfiable(response, blob->size);
        return;
    }
    if (reader)
        r = set_source(call, blob, reader, count == 0, &source, &err);
    if (r < 0) {
        response_fail(response, &err);
    } else {
        response_set_source(response, &source, blob->size, blob_type, ranges, count);
        if (reader && api_of(call)->streams)
            call_stream(call);
        response_add_header(response, "Accept-Ranges", "bytes");
        if (call->method == ROUTE_METHOD_GET)
            answer_pulled(call, &call->route.digest, blob->size, NULL);
    }
}

/*
 * HEAD protects the blob from garbage collection, because a client that finds a blob does not
 * upload it. That fails if another user owns the files; then the blob is only found. *ret_reader
 * stays NULL for HEAD.
 */
static int find(const struct call *call, struct store_blob *ret, struct store_reader **ret_reader,
                struct error *err)
{
    const struct route *route = &call->route;
    const struct api *api = api_of(call);
    const enum store_waiting waiting = call_may_wait(call);
    int r;

    if (call->method == ROUTE_METHOD_GET && !api->redirects)
        return store_open_blob(api->store, route->name, &route->digest, waiting, ret, ret_reader,
                               err);
    if (call->method == ROUTE_METHOD_HEAD && !api->is_read_only) {
        r = store_want_blob(api->store, route->name, &route->digest, waiting, ret, err);
        if (r != -EACCES && r != -EPERM)
            return r;
    }
    return store_find_blob(api->store, route->name, &route->digest, waiting, ret, err);
}

/*
 * Sends the client to the storage, as registry:2 does, also for HEAD. The address is a secret: the
 * log does not have it, and no cache may keep it.
 */
static void redirect(struct call *call, struct response *response, const struct store_blob *blob)
{
    CLEANUP_FREE char *address = NULL;
    struct error err = {0};
    bool is_head = call->method == ROUTE_METHOD_HEAD;
    int r = store_get_address(api_of(call)->store, blob, is_head ? "HEAD" : "GET", &address, &err);

    if (r != 0) {
        response_fail(response, &err);
        return;
    }
    response_set_empty(response, 307);
    response_add_header(response, "Location", "%s", address);
    response_add_header(response, "Cache-Control", "no-store");
    explicit_bzero(address, strlen(address));
    if (!is_head)
        answer_pulled(call, &call->route.digest, blob->size, NULL);
}

/* An answer with a thousand parts takes a millisecond to prepare. */
static bool has_many_ranges(const struct call *call)
{
    const char *header = call_get_header(call, "Range");

    return header && strlen(header) > FEW_RANGES_SIZE;
}

static enum http_result answer_get(struct call *call, struct response *response)
{
    CLEANUP(store_reader_closep) struct store_reader *reader = NULL;
    const struct route *route = &call->route;
    struct store_blob blob;
    struct error err = {0};
    int r;

    if (!call_is_on_worker(call) && has_many_ranges(call))
        return call_move_to_computer(call);
    r = find(call, &blob, &reader, &err);
    if (r == STORE_WOULD_WAIT)
        return call_move(call);
    if (r < 0) {
        response_fail(response, &err);
    } else if (r == STORE_NOT_FOUND) {
        answer_unknown_digest(response, ERROR_CODE_BLOB_UNKNOWN, &route->digest);
    } else if (api_of(call)->redirects) {
        if (!answer_if_settled(call, response, &route->digest))
            redirect(call, response, &blob);
    } else {
        response_add_header(response, "Cache-Control", "max-age=31536000");
        if (!answer_if_settled(call, response, &route->digest))
            send_blob(call, response, &blob, steal_ptr(&reader));
    }
    return HTTP_DONE;
}

static enum http_result answer_delete(struct call *call, struct response *response)
{
    const struct route *route = &call->route;
    struct error err = {0};
    int r;

    if (!call_is_on_worker(call))
        return call_move(call);
    if (answer_if_not_deleting(call, response))
        return HTTP_DONE;
    r = store_unlink_blob(api_of(call)->store, route->name, &route->digest, call_get_actor(call),
                          &err);
    if (r < 0)
        response_fail(response, &err);
    else if (r == STORE_NOT_FOUND)
        response_refuse(response, ERROR_CODE_BLOB_UNKNOWN, NULL);
    else
        response_set_empty(response, 202);
    return HTTP_DONE;
}

const struct endpoint endpoint_blob_get = {.answer = answer_get};
const struct endpoint endpoint_blob_delete = {.answer = answer_delete};
