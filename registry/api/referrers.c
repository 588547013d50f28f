/*
 * Lists referrers, the manifests whose subject is a given manifest, such as signatures (end-12 of
 * the specification). Clients without this API keep a list under the tag "sha256-<hex>" instead;
 * its entries are included.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/text.h"
#include "registry/spec/escape.h"
#include "registry/spec/manifest.h"
#include "registry/spec/name.h"
#include "registry/spec/range.h"

/*
 * The most that one request reads. The page ends there, even with few referrers, and links to the
 * next page. Some clients do not follow the link, so a request to a remote storage, which mostly
 * waits, may take longer.
 */
enum { SCAN_MS = 250, REMOTE_SCAN_MS = 2000, SCAN_SIZE_MAX = 16 << 20 };

enum { PAGE_MAX = 1000, ARTIFACT_TYPE_MAX = 256, LIST_SIZE_MAX = 4 << 20 };

static const char index_type[] = "application/vnd.oci.image.index.v1+json";

struct query {
    char artifact_type[ARTIFACT_TYPE_MAX]; /* "" for all */
    char last[DIGEST_TEXT_SIZE];           /* "" for the first page */
    uint64_t n;
};

struct listing {
    const struct query *query;
    struct text text;
    size_t count;
    char last[DIGEST_TEXT_SIZE]; /* the last digest that was examined */
    bool has_more;
    int64_t end_ms;   /* monotonic_ms() at which the page ends */
    size_t read_size; /* bytes of manifests that were read */
};

static bool get_query(const struct call *call, struct response *response, struct query *ret)
{
    char text[24];
    int r = escape_find(call->query, "n", text, sizeof(text));

    ret->n = PAGE_MAX;
    if (r != -ENOENT && (r < 0 || range_parse_length(text, &ret->n) < 0)) {
        answer_unknown(response, ERROR_CODE_PAGINATION_NUMBER_INVALID, "n", r < 0 ? "" : text);
        return false;
    }
    if (ret->n > PAGE_MAX)
        ret->n = PAGE_MAX;
    if (escape_find(call->query, "artifactType", ret->artifact_type, sizeof(ret->artifact_type)) <
        0)
        ret->artifact_type[0] = '\0';
    if (escape_find(call->query, "last", ret->last, sizeof(ret->last)) < 0)
        ret->last[0] = '\0';
    return true;
}

/* --- the fallback tag ------------------------------------------------------------------- */

/* Adds the manifests that an index names to digests. Other content adds nothing. */
static int add_children(struct store_digests *digests, const struct store_content *content,
                        struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error ignored;
    int r = 0;

    if (strcmp(content->media_type, index_type) != 0 ||
        manifest_parse(content->media_type, content->bytes, content->size, &manifest, &ignored) < 0)
        return 0;
    for (size_t i = 0; r == 0 && i < manifest.manifests.count; i++)
        r = store_digests_add(digests, &manifest.manifests.items[i].digest);
    return r < 0 ? error_set_oom(err) : 0;
}

static int add_fallback(const struct call *call, struct store_digests *digests, struct error *err)
{
    const struct route *route = &call->route;
    struct store *store = api_of(call)->store;
    CLEANUP(store_content_done) struct store_content content = {0};
    struct digest digest;
    char tag[TAG_MAX_SIZE + 1];
    int r;

    /* A sha512 digest is too long for a tag; the specification truncates it. */
    snprintf(tag, sizeof(tag), "%s-%.*s", digest_algorithm_name(route->digest.algorithm), 64,
             route->digest.hex);
    r = store_resolve_tag(store, route->name, tag, STORE_MAY_WAIT, &digest, err);
    if (r == 0)
        r = store_get_manifest(store, route->name, &digest, STORE_MAY_WAIT, &content, err);
    if (r != 0)
        return r < 0 ? r : 0;
    return add_children(digests, &content, err);
}

/* --- descriptors ------------------------------------------------------------------------ */

static void add_descriptor(struct listing *listing, const struct manifest *manifest, size_t size)
{
    struct text *text = &listing->text;
    char number[32];

    text_add_string(text, listing->count++ ? ",{\"mediaType\":" : "{\"mediaType\":");
    text_add_quoted(text, manifest->media_type);
    text_add_string(text, ",\"digest\":");
    text_add_quoted(text, listing->last);
    snprintf(number, sizeof(number), ",\"size\":%zu", size);
    text_add_string(text, number);
    if (manifest->artifact_type) {
        text_add_string(text, ",\"artifactType\":");
        text_add_quoted(text, manifest->artifact_type);
    }
    if (manifest->annotations) {
        text_add_string(text, ",\"annotations\":");
        text_add_string(text, manifest->annotations);
    }
    text_add_string(text, "}");
}

static bool is_wanted(const struct listing *listing, const struct manifest *manifest)
{
    const char *wanted = listing->query->artifact_type;

    return !*wanted || (manifest->artifact_type && strcmp(manifest->artifact_type, wanted) == 0);
}

/* Adds a referrer, if it still exists and has the requested type. 0 or negative. */
static int add_referrer(const struct call *call, struct listing *listing,
                        const struct digest *digest, struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error ignored;
    int r = store_get_manifest(api_of(call)->store, call->route.name, digest, STORE_MAY_WAIT,
                               &content, err);

    if (r == -EBADMSG) /* damaged: list the others */
        return 0;
    if (r != 0)
        return r < 0 ? r : 0;
    listing->read_size += content.size;
    if (manifest_parse(content.media_type, content.bytes, content.size, &manifest, &ignored) == 0 &&
        is_wanted(listing, &manifest))
        add_descriptor(listing, &manifest, content.size);
    return 0;
}

static bool is_full(const struct listing *listing)
{
    return listing->count >= listing->query->n || listing->text.size > LIST_SIZE_MAX / 2 ||
           (*listing->last &&
            (listing->read_size >= SCAN_SIZE_MAX || monotonic_ms() >= listing->end_ms));
}

/* Adds one page of referrers. digests are sorted and unique. */
static int add_page(const struct call *call, struct listing *listing,
                    const struct store_digests *digests, struct error *err)
{
    const struct query *query = listing->query;
    char text[DIGEST_TEXT_SIZE];
    int r = 0;

    for (size_t i = 0; r == 0 && i < digests->count; i++) {
        digest_format(&digests->items[i], text);
        if (strcmp(text, query->last) <= 0)
            continue;
        if (is_full(listing)) {
            listing->has_more = *listing->last != '\0';
            return 0;
        }
        memcpy(listing->last, text, sizeof(text));
        r = add_referrer(call, listing, &digests->items[i], err);
    }
    return r;
}

/* 0, STORE_WOULD_WAIT, or negative. */
static int list(const struct call *call, struct listing *listing, struct error *err)
{
    const struct route *route = &call->route;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_list_referrers(api_of(call)->store, route->name, &route->digest, &digests, err);

    if (r == 0)
        r = add_fallback(call, &digests, err);
    if (r != 0)
        return r;
    store_digests_sort(&digests);
    text_add_string(&listing->text, "{\"schemaVersion\":2,\"mediaType\":\"");
    text_add_string(&listing->text, index_type);
    text_add_string(&listing->text, "\",\"manifests\":[");
    r = add_page(call, listing, &digests, err);
    text_add_string(&listing->text, "]}");
    return r;
}

static void add_link(const struct call *call, struct response *response,
                     const struct listing *listing)
{
    const struct query *query = listing->query;
    char path[NAME_MAX_SIZE + DIGEST_TEXT_SIZE + 16], digest[DIGEST_TEXT_SIZE];
    char type[3 * ARTIFACT_TYPE_MAX + 1] = "", more[sizeof(type) + 16] = "";

    if (*query->artifact_type &&
        escape_query(query->artifact_type, strlen(query->artifact_type), type, sizeof(type)) == 0)
        snprintf(more, sizeof(more), "&artifactType=%s", type);
    digest_format(&call->route.digest, digest);
    snprintf(path, sizeof(path), "%s/referrers/%s", call->route.name, digest);
    answer_next_page(call, response, path, listing->last, (size_t)query->n, more);
}

static enum http_result answer_get(struct call *call, struct response *response)
{
    struct query query = {0};
    int scan_ms = store_is_remote(api_of(call)->store) ? REMOTE_SCAN_MS : SCAN_MS;
    struct listing listing = {.query = &query, .end_ms = monotonic_ms() + scan_ms};
    struct error err = {0};
    char *text;
    size_t size;
    int r;

    if (!call_is_on_worker(call))
        return call_move_to_computer(call);
    if (!get_query(call, response, &query))
        return HTTP_DONE;
    r = list(call, &listing, &err);
    if (r == STORE_WOULD_WAIT) /* let other requests run between two parts of the search */
        return call_move_to_computer(call);
    if (r < 0) {
        text_done(&listing.text);
        response_fail(response, &err);
        return HTTP_DONE;
    }
    text = text_steal(&listing.text, &size);
    response_set_body(response, 200, index_type, text, size);
    if (*query.artifact_type)
        response_add_header(response, "OCI-Filters-Applied", "artifactType");
    if (listing.has_more)
        add_link(call, response, &listing);
    return HTTP_DONE;
}

const struct endpoint endpoint_referrers = {.answer = answer_get};
