/*
 * Stores manifests (end-7 of the specification). Their bytes are kept unchanged; they are parsed
 * only to find what they refer to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/core/pushes.h"
#include "registry/runtime/log.h"
#include "registry/spec/escape.h"
#include "registry/spec/manifest.h"
#include "registry/spec/name.h"

/* MANIFEST_SIZE_MAX is registry:2's limit, and the minimum that the specification requires. */
enum { MANIFEST_SIZE_MAX = 4 << 20, TAGS_MAX = 100, COMPUTED_SIZE = 16 << 10, FOUND_SLOTS = 1024 };

/* The tag in the path or, if the path has a digest, the tags in the query (end-7b). */
struct wanted_tags {
    char text[TAGS_MAX][TAG_MAX_SIZE + 1];
    const char *items[TAGS_MAX];
    bool is_protected[TAGS_MAX]; /* may be created, but not replaced */
    size_t count;
};

/* False with the refusal in response. */
static bool get_tags(const struct call *call, struct response *response, struct wanted_tags *ret)
{
    const char *at = call->query;
    char value[TAG_MAX_SIZE + 2];
    int r;

    if (call->route.kind == ROUTE_MANIFEST_TAG) {
        ret->items[ret->count++] = call->route.tag;
        return true;
    }
    while ((r = escape_find_next(&at, "tag", value, sizeof(value))) != -ENOENT) {
        if (r < 0 || !name_is_tag(value, strlen(value))) {
            answer_unknown(response, ERROR_CODE_TAG_INVALID, "tag", r < 0 ? "" : value);
            return false;
        }
        if (ret->count == TAGS_MAX) {
            answer_invalid(response, ERROR_CODE_TAG_INVALID, "at most %d tags at a time", TAGS_MAX);
            response->status = 414;
            return false;
        }
        memcpy(ret->text[ret->count], value, strlen(value) + 1);
        ret->items[ret->count] = ret->text[ret->count];
        ret->count++;
    }
    return true;
}

/* Computes the manifest's digest. If the path names a digest, the two must be equal. */
static bool get_digest(const struct call *call, struct response *response, struct digest *ret)
{
    const struct route *route = &call->route;
    bool is_named = route->kind == ROUTE_MANIFEST_DIGEST;

    if (digest_of(is_named ? route->digest.algorithm : DIGEST_SHA256,
                  call->body ? (const char *)call->body : "", call->body_kept, ret) < 0) {
        response_fail_oom(response);
        return false;
    }
    if (!is_named || digest_is_equal(ret, &route->digest))
        return true;
    response_refuse(response, ERROR_CODE_DIGEST_INVALID, NULL);
    return false;
}

static bool parse(const struct call *call, struct response *response, struct manifest *ret)
{
    struct error err = {0};

    if (call->is_body_too_large) {
        answer_invalid(response, ERROR_CODE_MANIFEST_INVALID, "a manifest has at most %d bytes",
                       MANIFEST_SIZE_MAX);
        response->status = 413;
        return false;
    }
    if (manifest_parse(call_get_header(call, "Content-Type"),
                       call->body ? call->body : (const void *)"", call->body_kept, ret, &err) == 0)
        return true;
    if (err.code == ENOMEM)
        response_fail(response, &err);
    else
        answer_invalid(response, ERROR_CODE_MANIFEST_INVALID, "%s", err.text);
    return false;
}

/*
 * --- what a manifest refers to must exist -------------------------------------------------
 *
 * It must also exist when the manifest is stored: each blob and manifest that is found is protected
 * from garbage collection for much longer than a push takes. If a push takes longer, for example
 * because the disk hangs, all of them are looked up again.
 */

/* 0, STORE_NOT_FOUND, or negative. */
static int find_blob(const struct call *call, const struct digest *digest, struct error *err)
{
    struct store_blob blob;

    return store_want_blob(api_of(call)->store, call->route.name, digest, STORE_MAY_WAIT, &blob,
                           err);
}

/* The specification allows an index to name blobs, too. */
static int find_manifest(const struct call *call, const struct digest *digest, struct error *err)
{
    int r = store_want_manifest(api_of(call)->store, call->route.name, digest, STORE_MAY_WAIT, err);

    return r == STORE_NOT_FOUND ? find_blob(call, digest, err) : r;
}

typedef int finder(const struct call *call, const struct digest *digest, struct error *err);

/*
 * A cache of digests that were found, because a manifest may name one blob ten thousand times. The
 * first digits of a digest choose its slot; a newer digest replaces an older one.
 */
struct found {
    const struct digest *slots[FOUND_SLOTS];
};

static const struct digest **slot_of(struct found *found, const struct digest *digest)
{
    unsigned long number;
    char digits[5];

    snprintf(digits, sizeof(digits), "%.4s", digest->hex);
    number = strtoul(digits, NULL, 16);
    return &found->slots[number % FOUND_SLOTS];
}

/* Returns whether all descriptors exist that must exist here. If not, sets the refusal. */
static bool has_each(const struct call *call, struct response *response,
                     const struct manifest_descriptors *descriptors, finder *find)
{
    struct found found = {0};
    struct error err = {0};

    for (size_t i = 0; i < descriptors->count; i++) {
        const struct manifest_descriptor *item = &descriptors->items[i];
        const struct digest **slot = slot_of(&found, &item->digest);
        int r;

        if (*slot && digest_is_equal(*slot, &item->digest))
            continue;
        r = find(call, &item->digest, &err);
        if (r == 0)
            *slot = &item->digest;
        if (r < 0) {
            response_fail(response, &err);
            return false;
        }
        if (r == STORE_NOT_FOUND && !item->is_elsewhere) {
            answer_unknown_digest(response, ERROR_CODE_MANIFEST_BLOB_UNKNOWN, &item->digest);
            return false;
        }
    }
    return true;
}

static int64_t now_s(void)
{
    return (int64_t)(boottime_ms() / 1000);
}

static bool has_all(const struct call *call, struct response *response,
                    const struct manifest *manifest)
{
    return has_each(call, response, &manifest->blobs, find_blob) &&
           has_each(call, response, &manifest->manifests, find_manifest);
}

/* --- the answer -------------------------------------------------------------------------- */

static void add_headers(const struct call *call, struct response *response,
                        const struct manifest *manifest, const struct digest *digest,
                        const struct wanted_tags *tags)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    response_set_empty(response, 201);
    answer_location(call, response, "%s/manifests/%s", call->route.name, text);
    answer_digest(response, digest);
    if (manifest->has_subject) {
        digest_format(&manifest->subject, text);
        response_add_header(response, "OCI-Subject", "%s", text);
    }
    for (size_t i = 0; call->route.kind == ROUTE_MANIFEST_DIGEST && i < tags->count; i++)
        response_add_header(response, "OCI-Tag", "%s", tags->items[i]);
}

static void protect_tags(const struct call *call, struct wanted_tags *tags)
{
    for (size_t i = 0; i < tags->count; i++)
        tags->is_protected[i] =
            call->is_new_tags_only ||
            access_is_tag_immutable(call->api->access, call->route.name, tags->items[i]);
}

/* Says which rule protects the tag. */
static void deny_tag(const struct call *call, struct response *response, const char *tag)
{
    char words[TAG_MAX_SIZE + 64], detail[TAG_MAX_SIZE + 16];

    snprintf(words, sizeof(words),
             call->is_new_tags_only ? "the tag %s exists, and you may only create new tags"
                                    : "the tag %s is immutable and exists already",
             tag);
    snprintf(detail, sizeof(detail), "{\"tag\":\"%s\"}", tag);
    response_deny(response, 403, words, detail);
}

/* Refuses the push because of a protected tag that names another manifest or is damaged. */
static void refuse_tag(const struct call *call, struct response *response,
                       const struct wanted_tags *tags, const struct digest *pushed)
{
    const char *tag = tags->items[0];
    struct digest digest;
    struct error err;

    for (size_t i = 0; i < tags->count; i++) {
        if (!tags->is_protected[i])
            continue;
        tag = tags->items[i];
        if (store_resolve_tag(api_of(call)->store, call->route.name, tag, STORE_MAY_WAIT, &digest,
                              &err) != 0 ||
            !digest_is_equal(&digest, pushed))
            break;
    }
    deny_tag(call, response, tag);
}

/* A manifest that was parsed and found complete, until it is stored. */
struct putting {
    struct manifest manifest;
    struct wanted_tags tags;
    struct digest digest;
    int64_t checked_s;
};

static void release(struct call *call)
{
    struct putting *putting = call->state;

    if (putting)
        manifest_done(&putting->manifest);
    free(putting);
    call->state = NULL;
}

/* False with the refusal in response. */
static bool check(struct call *call, struct response *response)
{
    struct putting *putting = calloc(1, sizeof(*putting));

    if (!putting) {
        response_fail_oom(response);
        return false;
    }
    call->state = putting;
    putting->checked_s = now_s();
    if (answer_if_read_only(call, response) || !parse(call, response, &putting->manifest) ||
        !get_tags(call, response, &putting->tags) ||
        !get_digest(call, response, &putting->digest) ||
        !has_all(call, response, &putting->manifest))
        return false;
    store_note_type(api_of(call)->store, &putting->digest, call->body, call->body_kept);
    return true;
}

/* For the page; best effort. */
static void note_pushes(const struct call *call, const struct store_manifest *kept)
{
    struct error err = {0};

    if (!api_of(call)->page || !kept->actor)
        return;
    for (size_t i = 0; i < kept->tag_count; i++)
        if (store_note_push(api_of(call)->store, call->route.name, kept->tags[i], &kept->digest,
                            kept->actor, &err) < 0)
            log_warn("cannot record who pushed %s:%s: %s", call->route.name, kept->tags[i],
                     err.text);
}

static void put(struct call *call, struct response *response, struct putting *putting)
{
    const struct manifest *manifest = &putting->manifest;
    struct store_manifest kept = {
        .digest = putting->digest,
        .media_type = manifest->media_type,
        .bytes = call->body,
        .size = call->body_kept,
        .subject = manifest->has_subject ? &manifest->subject : NULL,
        .tags = putting->tags.items,
        .tag_count = putting->tags.count,
        .protected_tags = putting->tags.is_protected,
        .actor = call_get_actor(call),
    };
    struct error err = {0};
    int r;

    protect_tags(call, &putting->tags);
    r = store_put_manifest(api_of(call)->store, call->route.name, &kept, &err);
    if (r == 0)
        note_pushes(call, &kept);
    if (r < 0)
        response_fail(response, &err);
    else if (r == STORE_OVER_QUOTA)
        response_deny(response, 413, err.text, NULL);
    else if (r == STORE_TAG_EXISTS)
        refuse_tag(call, response, &putting->tags, &kept.digest);
    else if (now_s() - putting->checked_s <= STORE_WANTED_FOR_S ||
             has_all(call, response, manifest))
        add_headers(call, response, manifest, &kept.digest, &putting->tags);
}

/*
 * A large manifest is checked by the pool "computers", and stored by the pool "workers", because
 * that waits for the disk.
 */
static enum http_result answer_put(struct call *call, struct response *response)
{
    if (!call_is_on_worker(call))
        return call->body_kept > COMPUTED_SIZE ? call_move_to_computer(call) : call_move(call);
    if (!call->state && !check(call, response))
        return HTTP_DONE;
    if (call_is_on_computer(call))
        return call_move(call);
    put(call, response, call->state);
    return HTTP_DONE;
}

const struct endpoint endpoint_manifest_put = {
    .body_limit = MANIFEST_SIZE_MAX, .answer = answer_put, .release = release,
};
