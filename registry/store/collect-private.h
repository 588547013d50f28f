#pragma once

#include "registry/store/collect.h"
#include "registry/store/digest-set.h"
#include "registry/store/store-private.h"

/* What the files of the collection share. */

/* A manifest that is to go. */
struct doomed {
    const char *name; /* of the repository; borrowed from the collection's names */
    struct digest_id id;
};

struct collection {
    struct store *store;
    const struct collect_options *options;
    struct store_names names; /* of all repositories */
    struct digest_set marks;  /* what stays: blobs and manifests */
    struct doomed *doomed;
    size_t doomed_count;
    struct collect_result result;
};

void collect_say(const struct collection *collection, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Marks what the manifests of a repository name, and notes those that are to go; changes nothing
 * on disk. Negative where one of them cannot be read.
 */
int collect_mark(struct collection *collection, const char *name, struct error *err) MUST_USE;

/* Removes the manifests noted, then all that is not marked; a dry run only says and counts. */
int collect_sweep(struct collection *collection, struct error *err) MUST_USE;

/* --- what the manifests of one repository name (collect-graph.c) ----------------------------- */

struct graph_node {
    struct digest_id id;
    struct digest_id subject;
    size_t first; /* in refs: children first, then blobs */
    size_t child_count, blob_count;
    bool has_subject, is_kept;
};

struct graph {
    struct collection *collection;
    const char *name;
    struct graph_node *nodes; /* sorted by id */
    size_t count;
    struct digest_id *refs;
    size_t ref_count;
    struct store_digests aliases, canonicals; /* pairs: a sha512 digest, and the sha256 it stands for */
};

/* Reads all manifests of the repository. *graph is zeroed but for collection and name. */
int graph_read(struct graph *graph, struct error *err) MUST_USE;
void graph_done(struct graph *graph);

/* The manifest of that id; NULL where the repository has none. */
struct graph_node *graph_find(const struct graph *graph, const struct digest_id *id);

/* The id of the bytes that a digest of the repository stands for; STORE_NOT_FOUND where nobody knows. */
int graph_resolve(const struct graph *graph, const struct digest *digest, struct digest_id *ret,
                  struct error *err) MUST_USE;

/* The digest in a link; STORE_NOT_FOUND where there is no link. An empty link is a failure here. */
int graph_read_link(const struct graph *graph, const struct key *key, struct digest *ret, struct error *err) MUST_USE;
