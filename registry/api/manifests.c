/*
 * Reads and deletes manifests (end-3 and end-9 of the specification).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/challenge.h"
#include "registry/api/endpoints.h"
#include "registry/spec/accept.h"
#include "registry/spec/manifest.h"
#include "registry/spec/platform.h"

enum { ACCEPT_SIZE = 4096, PARSED_AT_ONCE = 4096 };

/* The detail says what was not found; registry:2 has one form for tags and one for digests. */
static void answer_manifest_unknown(const struct call *call, struct response *response)
{
    const struct route *route = &call->route;
    char detail[NAME_MAX_SIZE + DIGEST_TEXT_SIZE + 64], text[DIGEST_TEXT_SIZE];

    if (route->kind == ROUTE_MANIFEST_TAG) {
        answer_unknown(response, ERROR_CODE_MANIFEST_UNKNOWN, "Tag", route->tag);
        return;
    }
    digest_format(&route->digest, text);
    snprintf(detail, sizeof(detail), "{\"Name\":\"%s\",\"Revision\":\"%s\"}", route->name, text);
    response_refuse(response, ERROR_CODE_MANIFEST_UNKNOWN, detail);
}

/* 0, STORE_NOT_FOUND, STORE_WOULD_WAIT, or negative. */
static int resolve(const struct call *call, struct digest *ret_digest, struct error *err)
{
    const struct route *route = &call->route;

    if (route->kind == ROUTE_MANIFEST_TAG)
        return store_resolve_tag(api_of(call)->store, route->name, route->tag, call_may_wait(call),
                                 ret_digest, err);
    *ret_digest = route->digest;
    return 0;
}

/*
 * Reads a manifest and protects it from garbage collection: a client that finds a manifest may not
 * push it, and one that reads it may push an index that names it. A pull never waits for the
 * collection. If another user owns the files, protection fails, and the manifest is only read.
 */
static int get(const struct call *call, const struct digest *digest, bool is_tagged,
               struct store_content *ret, struct error *err)
{
    const struct api *api = call->api;
    const char *name = call->route.name;
    bool is_question =
        call->method == ROUTE_METHOD_HEAD && call->route.kind == ROUTE_MANIFEST_DIGEST;
    enum store_waiting waiting = STORE_MUST_NOT_WAIT;

    if (call_is_on_worker(call))
        waiting = is_question && !call_is_on_computer(call) ? STORE_MAY_WAIT : STORE_MAY_READ;
    if (!api->is_read_only) {
        int r = store_get_wanted_manifest(api->store, name, digest, waiting, ret, err);
        bool has_failed =
            r < 0 || (r == STORE_WOULD_WAIT && call_is_on_worker(call) && !is_question);

        if (!has_failed || (is_question && r != -EACCES && r != -EPERM))
            return r;
    }
    return is_tagged ? store_get_tagged_manifest(api->store, name, digest, waiting, ret, err)
                     : store_get_manifest(api->store, name, digest, waiting, ret, err);
}

/* --- media types that the client accepts ----------------------------------------------------- */

static bool accepts(const struct call *call, const char *media_type)
{
    char list[ACCEPT_SIZE];
    int r = request_join_header(call->request, "Accept", list, sizeof(list));

    /* no list, or a list that is too long, excludes nothing */
    return r < 0 || accept_allows(list, media_type);
}

static bool is_schema_1(const char *media_type)
{
    return strcmp(media_type, "application/vnd.docker.distribution.manifest.v1+json") == 0;
}

/* As in registry:2, Accept does not exclude schema 1, nor Docker's manifests by digest. */
static bool may_send(const struct call *call, const char *media_type)
{
    static const char docker[] = "application/vnd.docker.distribution.manifest.";

    return is_schema_1(media_type) ||
           (call->route.kind == ROUTE_MANIFEST_DIGEST &&
            strncmp(media_type, docker, sizeof(docker) - 1) == 0) ||
           accepts(call, media_type);
}

static void refuse_type(struct response *response, const char *media_type)
{
    char message[MANIFEST_TYPE_SIZE + 64];
    size_t size = 0;
    char *text;

    snprintf(message, sizeof(message), "the manifest is of a type that Accept excludes: %s",
             media_type);
    text = error_code_format_message(ERROR_CODE_MANIFEST_UNKNOWN, message, NULL, &size);
    response_set_body(response, 404, "application/json; charset=utf-8", text, size);
}

/*
 * For clients that do not support lists, replaces one of Docker's lists by its manifest for
 * linux/amd64, as registry:2 does. 0, STORE_NOT_FOUND, STORE_WOULD_WAIT, or negative.
 */
static int choose_platform(const struct call *call, struct digest *digest,
                           struct store_content *content, struct error *err)
{
    struct store_content chosen = {0};
    int r;

    if (content->size > PARSED_AT_ONCE && !call_is_on_worker(call))
        return STORE_WOULD_WAIT;
    r = platform_find(content->bytes, content->size, "linux", "amd64", digest, err);
    if (r == 0)
        r = get(call, digest, false, &chosen, err);
    if (r != 0)
        return r == -ENOENT ? STORE_NOT_FOUND : r;
    store_content_done(content);
    *content = chosen;
    return 0;
}

/* Finds the requested manifest, or the one that replaces it. Returns like get(). */
static int find(const struct call *call, struct digest *ret_digest, struct store_content *ret,
                struct error *err)
{
    int r = resolve(call, ret_digest, err);

    if (r == 0)
        r = get(call, ret_digest, call->route.kind == ROUTE_MANIFEST_TAG, ret, err);
    if (r != 0 || call->route.kind != ROUTE_MANIFEST_TAG ||
        strcmp(ret->media_type, MANIFEST_DOCKER_LIST) != 0 || accepts(call, MANIFEST_DOCKER_LIST) ||
        !accepts(call, MANIFEST_DOCKER_IMAGE))
        return r;
    r = choose_platform(call, ret_digest, ret, err);
    if (r == STORE_NOT_FOUND)
        return 0; /* the list, which is then refused because of its type */
    if (r != 0)
        store_content_done(ret);
    return r;
}

/*
 * Records a pull for retention. docker and containerd first send HEAD to find the digest of a tag,
 * and get the manifest by its digest only if they do not have it. Therefore HEAD of a tag counts as
 * a pull.
 */
static void note_pull(const struct call *call)
{
    const struct route *route = &call->route;

    /* Viewing an image on the page does not count as a pull. */
    if (!call->api->pulls || challenge_is_from_page(call) ||
        (call->method == ROUTE_METHOD_HEAD && route->kind != ROUTE_MANIFEST_TAG))
        return;
    pull_log_add(call->api->pulls, route->name,
                 route->kind == ROUTE_MANIFEST_TAG ? route->tag : NULL, &route->digest);
}

static void send_manifest(struct call *call, struct response *response, const struct digest *digest,
                          struct store_content *content)
{
    if (!may_send(call, content->media_type)) {
        refuse_type(response, content->media_type);
        return;
    }
    note_pull(call);
    if (answer_if_settled(call, response, digest))
        return;
    if (is_schema_1(content->media_type)) /* registry:2 would sign it with a key of its own */
        response_add_header(
            response, "Warning",
            "299 - \"this manifest has Docker's schema 1, which docker pull reads only "
            "with a signature; convert it: skopeo copy --format v2s2\"");
    response_set_body(response, 200, content->media_type, steal_ptr(&content->bytes),
                      content->size);
    if (call->method == ROUTE_METHOD_GET)
        answer_pulled(call, digest, content->size, content->media_type);
}

static enum http_result answer_get(struct call *call, struct response *response)
{
    struct store_content content = {0};
    struct digest digest;
    struct error err = {0};
    int r = find(call, &digest, &content, &err);

    if (r == STORE_WOULD_WAIT) /* the manifest is large, or garbage collection holds its lock */
        return call_is_on_worker(call) ? call_move(call) : call_move_to_reader(call);
    if (r < 0) {
        response_fail(response, &err);
    } else if (r > 0) {
        answer_manifest_unknown(call, response);
    } else {
        send_manifest(call, response, &digest, &content);
        store_content_done(&content);
    }
    return HTTP_DONE;
}

static enum http_result answer_delete(struct call *call, struct response *response)
{
    const struct route *route = &call->route;
    struct store *store = api_of(call)->store;
    const char *actor = call_get_actor(call);
    struct error err = {0};
    int r;

    if (!call_is_on_worker(call))
        return call_move(call);
    if (answer_if_not_deleting(call, response))
        return HTTP_DONE;
    r = route->kind == ROUTE_MANIFEST_TAG
            ? store_delete_tag(store, route->name, route->tag, actor, &err)
            : store_delete_manifest(store, route->name, &route->digest, actor, &err);
    if (r < 0)
        response_fail(response, &err);
    else if (r > 0)
        answer_manifest_unknown(call, response);
    else
        response_set_empty(response, 202);
    return HTTP_DONE;
}

const struct endpoint endpoint_manifest_get = {.answer = answer_get};
const struct endpoint endpoint_manifest_delete = {.answer = answer_delete};
