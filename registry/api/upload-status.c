/*
 * The status of an upload session (end-13), and its cancellation (end-14).
 */
#include "registry/api/upload-answer.h"

#include "registry/api/endpoints.h"

void upload_add_headers(const struct call *call, struct response *response, const char *id,
                        uint64_t size)
{
    /* _state is not used, but scripts written for registry:2 append "&digest=" to the URL. */
    answer_location(call, response, "%s/blobs/uploads/%s?_state=%s", call->route.name, id, id);
    /*
     * The specification has no range for an empty upload. registry:2 sends 0-0, and clients
     * understand that.
     */
    response_add_header(response, "Range", "0-%ju", (uintmax_t)(size ? size - 1 : 0));
    response_add_header(response, "Docker-Upload-Uuid", "%s", id);
}

void upload_answer_created(const struct call *call, struct response *response,
                           const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    response_set_empty(response, 201);
    answer_location(call, response, "%s/blobs/%s", call->route.name, text);
    answer_digest(response, digest);
}

void upload_answer(const struct call *call, struct response *response, const char *id,
                   uint64_t size)
{
    response_set_empty(response, 202);
    upload_add_headers(call, response, id, size);
}

enum http_result upload_open(struct call *call, struct response *response, struct upload **ret)
{
    const struct route *route = &call->route;
    struct error err = {0};
    int r = store_upload_open(api_of(call)->store, route->name, route->upload, ret, &err);

    if (r == STORE_BUSY && call_may_park(call))
        return call_park(call);
    if (r < 0) {
        response_fail(response, &err);
    } else if (r == STORE_NOT_FOUND) {
        response_refuse(response, ERROR_CODE_BLOB_UPLOAD_UNKNOWN, "{}");
    } else if (r == STORE_BUSY) {
        answer_invalid(response, ERROR_CODE_TOOMANYREQUESTS,
                       "another request is writing to this upload");
        response_add_header(response, "Retry-After", "1");
    }
    return HTTP_DONE;
}

static enum http_result answer_get(struct call *call, struct response *response)
{
    const struct route *route = &call->route;
    struct error err = {0};
    uint64_t size;
    int r;

    if (!call_is_on_worker(call))
        return call_move(call);
    r = store_upload_stat(api_of(call)->store, route->name, route->upload, &size, &err);
    if (r < 0) {
        response_fail(response, &err);
    } else if (r == STORE_NOT_FOUND) {
        response_refuse(response, ERROR_CODE_BLOB_UPLOAD_UNKNOWN, "{}");
    } else {
        response_set_empty(response, 204);
        upload_add_headers(call, response, route->upload, size);
    }
    return HTTP_DONE;
}

static enum http_result answer_delete(struct call *call, struct response *response)
{
    struct upload *upload = NULL;
    struct error err = {0};

    if (!call_is_on_worker(call))
        return call_move(call);
    if (answer_if_read_only(call, response))
        return HTTP_DONE;
    if (upload_open(call, response, &upload) == HTTP_ON_WORKER)
        return HTTP_ON_WORKER;
    if (!upload)
        return HTTP_DONE;
    if (upload_cancel(upload, &err) < 0) {
        response_fail(response, &err);
    } else {
        response_set_empty(response, 204);
        response_add_header(response, "Docker-Upload-Uuid", "%s", call->route.upload);
    }
    upload_release(upload);
    return HTTP_DONE;
}

const struct endpoint endpoint_upload_get = {.answer = answer_get};
const struct endpoint endpoint_upload_delete = {.answer = answer_delete};
