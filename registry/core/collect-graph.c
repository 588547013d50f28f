/*
 * Reads what each manifest of a repository names. Garbage collection needs complete knowledge, so
 * every manifest must exist, match its digest and be parsed.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "registry/spec/manifest.h"
#include "registry/core/collect-private.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"

/* The pauses add up to a second. */
enum { MAX_TRIES = 10, FIRST_PAUSE_NS = 1000000 };

void graph_done(struct graph *graph)
{
    free(graph->nodes);
    free(graph->refs);
    store_digests_done(&graph->aliases);
    store_digests_done(&graph->canonicals);
}

struct graph_node *graph_find(const struct graph *graph, const struct digest_id *id)
{
    if (graph->count == 0)
        return NULL;
    return bsearch(id, graph->nodes, graph->count, sizeof(*graph->nodes), digest_id_compare);
}

int graph_read_link(const struct graph *graph, const struct key *key, struct digest *ret,
                    struct error *err)
{
    int r = link_read_strictly(graph->collection->store->storage, key, ret, err);

    if (r == LINK_EMPTY)
        return error_set(err, EBADMSG,
                         "%s is empty, as after a power failure; remove it, or push again what it "
                         "stands for",
                         key->text);
    return r > 0 ? STORE_NOT_FOUND : r;
}

int graph_resolve(const struct graph *graph, const struct digest *digest, struct digest_id *ret,
                  struct error *err)
{
    struct digest canonical = *digest;
    struct key link;
    int r = 0;

    if (digest->algorithm != DIGEST_SHA256) {
        link = key_revision(graph->name, digest, "link");
        r = graph_read_link(graph, &link, &canonical, err);
        if (r == STORE_NOT_FOUND) {
            link = key_layer(graph->name, digest);
            r = graph_read_link(graph, &link, &canonical, err);
        }
    }
    if (r == 0 && canonical.algorithm != DIGEST_SHA256)
        return STORE_NOT_FOUND; /* bytes are stored under sha256 digests only */
    if (r == 0)
        *ret = digest_id_of(&canonical);
    return r;
}

/* --- one manifest ---------------------------------------------------------------------------- */

static int add_ref(struct graph *graph, const struct digest *digest, size_t *count,
                   struct error *err)
{
    struct digest_id id;
    void *items = graph->refs;
    int r = graph_resolve(graph, digest, &id, err);

    if (r != 0) /* a missing object cannot be removed */
        return r < 0 ? r : 0;
    r = store_grow(&items, graph->ref_count, sizeof(*graph->refs));
    graph->refs = items;
    if (r < 0)
        return error_set_oom(err);
    graph->refs[graph->ref_count++] = id;
    ++*count;
    return 0;
}

static int add_refs(struct graph *graph, struct graph_node *node, const struct manifest *manifest,
                    struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < manifest->manifests.count; i++)
        r = add_ref(graph, &manifest->manifests.items[i].digest, &node->child_count, err);
    for (size_t i = 0; r == 0 && i < manifest->blobs.count; i++)
        r = add_ref(graph, &manifest->blobs.items[i].digest, &node->blob_count, err);
    if (r < 0 || !manifest->has_subject)
        return r;
    r = graph_resolve(graph, &manifest->subject, &node->subject, err);
    node->has_subject = r == 0;
    return r < 0 ? r : 0;
}

/*
 * Docker's schema 1 names its layers in fsLayers. It can no longer be pushed, but old storages
 * contain it.
 */
static int add_schema_1(struct graph *graph, struct graph_node *node, const struct json *document,
                        struct error *err)
{
    const struct json *layer = json_get_first(json_find(document, "fsLayers"));
    int r = 0;

    for (; r == 0 && layer; layer = json_get_next(layer)) {
        const char *text = json_get_text(json_find(layer, "blobSum"));
        struct digest digest;

        if (!text || digest_parse(text, strlen(text), &digest) < 0)
            return error_set(err, EBADMSG, "a layer has no digest");
        r = add_ref(graph, &digest, &node->blob_count, err);
    }
    return r;
}

static int add_content(struct graph *graph, struct graph_node *node,
                       const struct store_content *content, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    CLEANUP(json_freep) struct json *document = NULL;
    int64_t version = 0;
    int r = manifest_parse(content->media_type, content->bytes, content->size, &manifest, err);

    if (r == 0)
        return add_refs(graph, node, &manifest, err);
    if (r != -ENOMEM && json_parse_public(content->bytes, content->size, &document) == 0 &&
        json_get_integer(json_find(document, "schemaVersion"), &version) == 0 && version == 1)
        return add_schema_1(graph, node, document, err);
    return r;
}

/* Whether the manifest was deleted after it was listed. 1 or 0, or negative. */
static int is_gone(const struct graph *graph, const struct digest *digest, struct error *err)
{
    struct key link = key_revision(graph->name, digest, "link");
    struct digest ignored;
    int r = graph_read_link(graph, &link, &ignored, err);

    for (size_t i = 0; r == STORE_NOT_FOUND && i < graph->aliases.count; i++) {
        if (!digest_is_equal(&graph->canonicals.items[i], digest))
            continue;
        link = key_revision(graph->name, &graph->aliases.items[i], "link");
        r = graph_read_link(graph, &link, &ignored, err);
    }
    return r < 0 ? r : r == STORE_NOT_FOUND;
}

/*
 * Reads a manifest by its own digest or by another digest that it was pushed by, because one may be
 * deleted before the other.
 */
static int find_content(const struct graph *graph, const struct digest *digest,
                        struct store_content *ret, struct error *err)
{
    struct store *store = graph->collection->store;
    int r = store_get_manifest(store, graph->name, digest, STORE_MAY_WAIT, ret, err);

    for (size_t i = 0; r == STORE_NOT_FOUND && i < graph->aliases.count; i++) {
        if (digest_is_equal(&graph->canonicals.items[i], digest))
            r = store_get_manifest(store, graph->name, &graph->aliases.items[i], STORE_MAY_WAIT,
                                   ret, err);
    }
    return r;
}

/*
 * Returns 0, or STORE_NOT_FOUND if the manifest was deleted. It may be deleted and pushed again
 * while it is looked up.
 */
static int get_content(const struct graph *graph, const struct digest *digest,
                       struct store_content *ret, struct error *err)
{
    struct timespec pause = {.tv_nsec = FIRST_PAUSE_NS};

    for (int try = 0; try < MAX_TRIES; try++) {
        int r = find_content(graph, digest, ret, err);

        if (r != STORE_NOT_FOUND)
            return r;
        r = is_gone(graph, digest, err);
        if (r != 0)
            return r < 0 ? r : STORE_NOT_FOUND;
        nanosleep(&pause, NULL);
        pause.tv_nsec *= 2;
    }
    return error_set(err, ENOENT, "its bytes are missing");
}

static int read_content(struct graph *graph, struct graph_node *node, const struct digest *digest,
                        struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    struct digest found;
    int r = get_content(graph, digest, &content, err);

    node->is_gone = r == STORE_NOT_FOUND;
    if (r != 0)
        return r < 0 ? r : 0;
    if (digest_of(DIGEST_SHA256, content.bytes, content.size, &found) < 0)
        return error_set_oom(err);
    if (!digest_is_equal(&found, digest))
        return error_set(err, EBADMSG, "its bytes do not match its digest");
    return add_content(graph, node, &content, err);
}

static int read_node(struct graph *graph, struct graph_node *node, struct error *err)
{
    struct digest digest;
    int r;

    node->first = graph->ref_count;
    digest_id_format(&node->id, &digest);
    r = read_content(graph, node, &digest, err);
    if (r < 0 && err->code != ENOMEM)
        return error_wrap(
            err,
            "nothing was removed, because the manifest sha256:%s of %s cannot be read (delete it "
            "or "
            "push it again)",
            digest.hex, graph->name);
    return r;
}

/* --- all manifests --------------------------------------------------------------------------- */

static int list_ids(struct graph *graph, struct digest_set *ret, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests revisions = {0};
    struct key prefix = key_revisions(graph->name, DIGEST_SHA256);
    int r = store_list_digests(graph->collection->store, &prefix, DIGEST_SHA256, &revisions, err);

    for (size_t i = 0; r == 0 && i < revisions.count; i++) {
        struct key link = key_revision(graph->name, &revisions.items[i], "link");
        struct digest_id id = digest_id_of(&revisions.items[i]);
        struct digest ignored;

        r = graph_read_link(graph, &link, &ignored, err);
        if (r == 0 && digest_set_add(ret, &id) < 0)
            return error_set_oom(err);
        r = r < 0 ? r : 0; /* without a link it is not a revision */
    }
    for (size_t i = 0; r == 0 && i < graph->canonicals.count; i++) {
        struct digest_id id = digest_id_of(&graph->canonicals.items[i]);

        if (digest_set_add(ret, &id) < 0)
            return error_set_oom(err);
    }
    digest_set_sort(ret);
    return r;
}

int graph_read(struct graph *graph, struct error *err)
{
    CLEANUP(digest_set_done) struct digest_set ids = {0};
    int r = store_list_aliases(graph->collection->store, graph->name, &graph->aliases,
                               &graph->canonicals, err);

    if (r == 0)
        r = list_ids(graph, &ids, err);
    if (r < 0)
        return r;
    graph->nodes = calloc(ids.count ? ids.count : 1, sizeof(*graph->nodes));
    if (!graph->nodes)
        return error_set_oom(err);
    graph->count = ids.count;
    for (size_t i = 0; i < ids.count; i++)
        graph->nodes[i].id = ids.items[i];
    for (size_t i = 0; r == 0 && i < ids.count; i++) {
        collect_show_marking(graph->collection, "manifests", i, ids.count);
        r = read_node(graph, &graph->nodes[i], err);
        if (r == 0)
            r = collect_pace(graph->collection, err);
    }
    return r;
}
