/*
 * Records which manifests of a repository stay and which are to be removed. The latter are recorded
 * by family: if a client asks for one of them before it is removed, the whole family stays.
 */
#include <errno.h>
#include <stdlib.h>

#include "registry/core/collect-private.h"
#include "registry/core/lists.h"

static size_t family_of(struct graph *graph, size_t i)
{
    struct graph_node *nodes = graph->nodes;

    while (nodes[i].family != i) {
        nodes[i].family = nodes[nodes[i].family].family;
        i = nodes[i].family;
    }
    return i;
}

static void join(struct graph *graph, size_t i, const struct digest_id *id)
{
    const struct graph_node *other = graph_find(graph, id);

    if (other && !other->is_kept)
        graph->nodes[family_of(graph, i)].family = family_of(graph, (size_t)(other - graph->nodes));
}

static void find_families(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++)
        graph->nodes[i].family = i;
    for (size_t i = 0; i < graph->count; i++) {
        const struct graph_node *node = &graph->nodes[i];

        if (node->is_kept)
            continue;
        for (size_t k = 0; k < node->child_count; k++)
            join(graph, i, &graph->refs[node->first + k]);
        if (node->has_subject)
            join(graph, i, &node->subject);
    }
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

static int doom_node(struct graph *graph, const struct graph_node *node, size_t family)
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
    collection->doomed[collection->doomed_count++] =
        (struct doomed){.name = graph->name, .id = node->id, .family = family};
    return 0;
}

static int compare_families(const void *a, const void *b)
{
    const struct doomed *left = a, *right = b;

    return left->family != right->family ? (left->family < right->family ? -1 : 1)
                                         : digest_id_compare(&left->id, &right->id);
}

int graph_settle(struct graph *graph)
{
    struct collection *collection = graph->collection;
    size_t first = collection->doomed_count;
    int r = 0;

    find_families(graph);
    for (size_t i = 0; r == 0 && i < graph->count; i++) {
        const struct graph_node *node = &graph->nodes[i];

        if (!node->is_gone)
            r = node->is_kept ? mark_node(graph, node)
                              : doom_node(graph, node, family_of(graph, i));
    }
    if (collection->doomed_count > first)
        qsort(collection->doomed + first, collection->doomed_count - first,
              sizeof(*collection->doomed), compare_families);
    return r;
}
