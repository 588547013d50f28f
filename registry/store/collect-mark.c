/*
 * What of a repository stays. registry:2 removes children of indexes that are in use, and knows no
 * referrers; here everything stays that a tag leads to in any way.
 */
#include <errno.h>
#include <string.h>

#include "registry/store/collect-private.h"

/* A walk from what is tagged to all that it keeps. */
struct walk {
    struct graph *graph;
    struct graph_node **waiting; /* kept, but not looked at yet; room for all */
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
    for (; low < walk->referrer_count && digest_id_compare(&walk->referrers[low]->subject, subject) == 0; low++)
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
    CLEANUP(folder_names_done) struct folder_names tags = {0};
    int r = store_list_tag_folders(graph->collection->store, graph->name, &tags, err);

    for (size_t i = 0; r >= 0 && i < tags.count; i++) {
        struct key link = key_tag_current(graph->name, tags.names[i]->text);
        struct digest digest;
        struct digest_id id;

        r = graph_read_link(graph, &link, &digest, err);
        if (r == 0)
            r = graph_resolve(graph, &digest, &id, err);
        if (r == 0)
            keep(walk, graph_find(graph, &id));
    }
    return r < 0 ? r : 0;
}

static int choose(struct graph *graph, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {.graph = graph};
    int r = 0;

    if (!graph->collection->options->does_untag) {
        for (size_t i = 0; i < graph->count; i++)
            graph->nodes[i].is_kept = true;
        return 0;
    }
    r = start_walk(&walk, err);
    if (r == 0)
        r = keep_tagged(&walk, err);
    keep_all_reached(&walk);
    return r;
}

/* --- the result ------------------------------------------------------------------------------ */

static int mark_node(struct graph *graph, const struct graph_node *node)
{
    struct collection *collection = graph->collection;
    struct digest digest;

    digest_id_format(&node->id, &digest);
    collect_say(collection, "%s: marking manifest sha256:%s ", graph->name, digest.hex);
    if (digest_set_add(&collection->marks, &node->id) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < node->child_count + node->blob_count; i++) {
        digest_id_format(&graph->refs[node->first + i], &digest);
        collect_say(collection, "%s: marking blob sha256:%s", graph->name, digest.hex);
        if (digest_set_add(&collection->marks, &graph->refs[node->first + i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int doom_node(struct graph *graph, const struct graph_node *node)
{
    struct collection *collection = graph->collection;
    void *items = collection->doomed;
    struct digest digest;
    int r = store_grow(&items, collection->doomed_count, sizeof(*collection->doomed));

    collection->doomed = items;
    if (r < 0)
        return r;
    digest_id_format(&node->id, &digest);
    collect_say(collection, "manifest eligible for deletion: sha256:%s", digest.hex);
    collection->doomed[collection->doomed_count++] = (struct doomed){.name = graph->name, .id = node->id};
    return 0;
}

int collect_mark(struct collection *collection, const char *name, struct error *err)
{
    CLEANUP(graph_done) struct graph graph = {.collection = collection, .name = name};
    int r;

    collect_say(collection, "%s", name);
    r = graph_read(&graph, err);
    if (r == 0)
        r = choose(&graph, err);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < graph.count; i++)
        r = graph.nodes[i].is_kept ? mark_node(&graph, &graph.nodes[i]) : doom_node(&graph, &graph.nodes[i]);
    return r < 0 ? error_set_oom(err) : 0;
}
