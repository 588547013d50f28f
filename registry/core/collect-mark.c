/*
 * Decides what stays in a repository: everything that a tag leads to, directly or indirectly.
 * (registry:2 removes children of indexes that are in use, and does not support referrers.)
 */
#include <errno.h>
#include <string.h>

#include "registry/core/collect-private.h"
#include "registry/core/lists.h"
#include "registry/core/untagged.h"

/* A walk from the tagged manifests to everything that they keep. */
struct walk {
    struct graph *graph;
    struct graph_node **waiting; /* kept, but not visited yet; room for all */
    size_t waiting_count;
    struct graph_node **referrers; /* sorted by subject */
    size_t referrer_count;
};

static void walk_done(struct walk *walk)
{
    free(walk->waiting);
    free(walk->referrers);
}

static void keep(struct walk *walk, struct graph_node *node)
{
    if (!node || node->is_kept)
        return;
    node->is_kept = true;
    walk->waiting[walk->waiting_count++] = node;
}

static int compare_subjects(const void *a, const void *b)
{
    const struct graph_node *const *left = a, *const *right = b;

    return digest_id_compare(&(*left)->subject, &(*right)->subject);
}

static int start_walk(struct walk *walk, struct error *err)
{
    struct graph *graph = walk->graph;
    size_t room = graph->count ? graph->count : 1;

    walk->waiting = calloc(room, sizeof(*walk->waiting));
    walk->referrers = calloc(room, sizeof(*walk->referrers));
    if (!walk->waiting || !walk->referrers)
        return error_set_oom(err);
    for (size_t i = 0; i < graph->count; i++) {
        if (graph->nodes[i].has_subject)
            walk->referrers[walk->referrer_count++] = &graph->nodes[i];
    }
    qsort(walk->referrers, walk->referrer_count, sizeof(*walk->referrers), compare_subjects);
    return 0;
}

static void keep_referrers(struct walk *walk, const struct digest_id *subject)
{
    size_t low = 0, high = walk->referrer_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (digest_id_compare(&walk->referrers[middle]->subject, subject) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < walk->referrer_count &&
           digest_id_compare(&walk->referrers[low]->subject, subject) == 0;
         low++)
        keep(walk, walk->referrers[low]);
}

static void keep_all_reached(struct walk *walk)
{
    while (walk->waiting_count > 0) {
        const struct graph_node *node = walk->waiting[--walk->waiting_count];

        for (size_t i = 0; i < node->child_count; i++)
            keep(walk, graph_find(walk->graph, &walk->graph->refs[node->first + i]));
        keep_referrers(walk, &node->id);
    }
}

static int keep_tagged(struct walk *walk, struct error *err)
{
    const struct graph *graph = walk->graph;
    CLEANUP(storage_list_done) struct storage_list tags = {0};
    int r = store_list_tag_entries(graph->collection->store, graph->name, &tags, err);

    for (size_t i = 0; r >= 0 && i < tags.count; i++) {
        struct key link = key_tag_current(graph->name, tags.entries[i]->name);
        struct digest digest;
        struct digest_id id;

        collect_show_marking(graph->collection, "tags", i, 0);
        r = graph_read_link(graph, &link, &digest, err);
        if (r == 0)
            r = graph_resolve(graph, &digest, &id, err);
        if (r == 0)
            keep(walk, graph_find(graph, &id));
    }
    return r < 0 ? r : 0;
}

static int keep_if_used(struct walk *walk, const struct digest *digest, struct graph_node *node,
                        struct error *err)
{
    struct key link = key_revision(walk->graph->name, digest, "link");
    int r = collect_is_used(walk->graph->collection, &link, err);

    if (r > 0)
        keep(walk, node);
    return r < 0 ? r : 0;
}

/*
 * Keeps recently used manifests: a child is pushed before its index, and a subject may be tagged
 * after its referrers.
 */
static int keep_used(struct walk *walk, struct error *err)
{
    struct graph *graph = walk->graph;
    struct digest digest;
    int r = 0;

    for (size_t i = 0; r == 0 && i < graph->count; i++) {
        digest_id_format(&graph->nodes[i].id, &digest);
        r = keep_if_used(walk, &digest, &graph->nodes[i], err);
    }
    for (size_t i = 0; r == 0 && i < graph->aliases.count; i++) {
        struct digest_id id = digest_id_of(&graph->canonicals.items[i]);

        r = keep_if_used(walk, &graph->aliases.items[i], graph_find(graph, &id), err);
    }
    return r;
}

static void keep_everything(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++)
        graph->nodes[i].is_kept = true;
}

/*
 * Records the manifests that no tag keeps, and keeps those that were untagged for less than stay_s.
 */
static int keep_unexpired(struct walk *walk, uint64_t stay_s, struct error *err)
{
    struct graph *graph = walk->graph;
    struct store *store = graph->collection->store;
    CLEANUP(untagged_done) struct untagged before = {0};
    CLEANUP(untagged_done) struct untagged now = {0};
    int64_t now_s = storage_now(store->storage);
    int r = untagged_read(store, graph->name, &before, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < graph->count; i++) {
        const struct graph_node *node = &graph->nodes[i];

        if (!node->is_kept && !node->is_gone &&
            untagged_add(&now, &node->id, untagged_find(&before, &node->id, now_s)) < 0)
            return error_set_oom(err);
    }
    for (size_t i = 0; i < now.count; i++)
        if (now_s - now.items[i].since_s < (int64_t)stay_s)
            keep(walk, graph_find(graph, &now.items[i].id));
    if (graph->collection->options->is_dry_run || untagged_is_same(&before, &now))
        return 0;
    return untagged_write(store, graph->name, &now, err);
}

static int choose(struct graph *graph, bool has_expiry, uint64_t stay_s, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {.graph = graph};
    int r = start_walk(&walk, err);

    if (r == 0)
        r = keep_tagged(&walk, err);
    keep_all_reached(&walk);
    if (r == 0 && has_expiry)
        r = keep_unexpired(&walk, stay_s, err);
    if (r == 0)
        r = keep_used(&walk, err);
    keep_all_reached(&walk);
    return r;
}

/* --- a repository ----------------------------------------------------------------------------- */

/*
 * Marks the bytes that new links lead to. If the bytes of a pushed blob already exist, registry:2
 * writes only a link and does not update their time.
 */
static int mark_new_links(struct collection *collection, const char *name,
                          enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct key prefix = key_layers(name, algorithm);
    int r = 0;

    if (collection->options->grace_s)
        r = store_list_digests(collection->store, &prefix, algorithm, &digests, err);
    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        struct key link = key_layer(name, &digests.items[i]);
        struct digest canonical;
        struct digest_id id;

        r = collect_is_used(collection, &link, err);
        if (r > 0)
            r = link_read(collection->store->storage, &link, STORAGE_MAY_WAIT, &canonical, err) ==
                0;
        if (r <= 0 || canonical.algorithm != DIGEST_SHA256)
            continue;
        id = digest_id_of(&canonical);
        if (digest_set_add(&collection->marks, &id) < 0)
            return error_set_oom(err);
    }
    return r < 0 ? r : 0;
}

/* The manifests that stay. */
enum marking { MARK_ALL, MARK_TAGGED, MARK_UNEXPIRED };

static enum marking choose_marking(const struct collection *collection, const char *name,
                                   uint64_t *ret_stay_s)
{
    const struct collect_options *options = collection->options;

    *ret_stay_s = options->untagged_for ? options->untagged_for(options->object, name) : 0;
    if (options->does_untag)
        return MARK_TAGGED;
    return *ret_stay_s > 0 ? MARK_UNEXPIRED : MARK_ALL;
}

static int mark(struct collection *collection, const char *name, enum marking marking,
                uint64_t stay_s, struct error *err)
{
    CLEANUP(graph_done) struct graph graph = {.collection = collection, .name = name};
    int r;

    collect_say(collection, "%s", name);
    r = graph_read(&graph, err);
    if (r == 0 && marking == MARK_ALL)
        keep_everything(&graph);
    else if (r == 0)
        r = choose(&graph, marking == MARK_UNEXPIRED, stay_s, err);
    if (r < 0)
        return r;
    return graph_settle(&graph) < 0 ? error_set_oom(err) : 0;
}

int collect_mark(struct collection *collection, const char *name, struct error *err)
{
    uint64_t stay_s;
    enum marking marking = choose_marking(collection, name, &stay_s);
    int r = mark(collection, name, marking, stay_s, err);

    if (r == 0)
        r = mark_new_links(collection, name, DIGEST_SHA256, err);
    return r < 0 ? r : mark_new_links(collection, name, DIGEST_SHA512, err);
}

int collect_mark_all(struct collection *collection, const char *name, struct error *err)
{
    return mark(collection, name, MARK_ALL, 0, err);
}
