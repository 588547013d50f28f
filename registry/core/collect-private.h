#pragma once

#include "registry/core/collect.h"
#include "registry/core/digest-set.h"
#include "registry/core/store-private.h"

/* Shared by the files of garbage collection. */

/*
 * A manifest that is to be removed. Manifests that name one another, as children or subject, are a
 * family: they are removed together or not at all, and are adjacent in the list.
 */
struct doomed {
    const char *name; /* of the repository; borrowed from the collection's names */
    struct digest_id id;
    size_t family;
};

struct collection {
    struct store *store;
    const struct collect_options *options;
    int64_t before_s; /* objects created or refreshed at this time (storage_now()) or later stay */
    struct store_names names; /* of all repositories */
    size_t done_names;        /* how many of them are marked */
    struct digest_set marks;  /* the blobs and manifests that stay */
    struct doomed *doomed;
    size_t doomed_count;
    struct collect_result result;
};

/* Call it between two steps. Negative: end the collection. */
int collect_pace(const struct collection *collection, struct error *err) MUST_USE;

/* Reports the progress of the collection. */
void collect_show(const struct collection *collection, const struct progress *progress);

/* Reports how far the marking of a repository is; total 0: not known. */
void collect_show_marking(const struct collection *collection, const char *unit, size_t done,
                          size_t total);

void collect_say(const struct collection *collection, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Marks what the manifests of a repository name, and records those that are to be removed; changes
 * nothing on disk. Negative if one of them cannot be read.
 */
int collect_mark(struct collection *collection, const char *name, struct error *err) MUST_USE;

/* Marks what all manifests of a repository name. */
int collect_mark_all(struct collection *collection, const char *name, struct error *err) MUST_USE;

/*
 * Prefixes to remove, in batches, so that one sync of a directory covers many. Initialize it with
 * zeros; free with sweep_batch_done().
 */
enum { SWEEP_BATCH = 64, SWEEP_WITNESSES = 2 };

struct sweep_item {
    struct key key, witnesses[SWEEP_WITNESSES];
    uint64_t size; /* of the bytes that are removed with it */
    const char *key_text, *witness_texts[SWEEP_WITNESSES];
};

struct sweep_batch {
    struct collection *collection;
    struct sweep_item *items; /* NULL, or room for SWEEP_BATCH */
    struct storage_removal removals[SWEEP_BATCH];
    size_t count;
    uint64_t next_size; /* the size of the next item */
};

/*
 * Adds a prefix and its witnesses: if one of these objects is in use, the prefix stays. Removes the
 * batch when it is full.
 */
int sweep_batch_add(struct sweep_batch *batch, const struct key *key, const struct key *witness,
                    const struct key *other_witness, struct error *err) MUST_USE;
int sweep_batch_flush(struct sweep_batch *batch, struct error *err) MUST_USE;
void sweep_batch_done(struct sweep_batch *batch);

/* Whether an object was created or refreshed recently (before_s). 1 or 0, or negative. */
int collect_is_used(const struct collection *collection, const struct key *key,
                    struct error *err) MUST_USE;

/*
 * Removes the doomed manifests. If one was refreshed in the meantime, it stays, and what it names
 * is marked.
 */
int collect_sweep_manifests(struct collection *collection, struct error *err) MUST_USE;

/*
 * Removes the recorded manifests and then everything that is not marked. A dry run only reports and
 * counts.
 */
int collect_sweep(struct collection *collection, struct error *err) MUST_USE;

/* --- what the manifests of one repository name (collect-graph.c) ------------------------- */

struct graph_node {
    struct digest_id id;
    struct digest_id subject;
    size_t first; /* in refs: children first, then blobs */
    size_t child_count, blob_count;
    size_t family; /* the index of another member of its family, or its own */
    bool has_subject, is_kept;
    bool is_gone; /* deleted after it was listed */
};

struct graph {
    struct collection *collection;
    const char *name;
    struct graph_node *nodes; /* sorted by id */
    size_t count;
    struct digest_id *refs;
    size_t ref_count;
    struct store_digests aliases, canonicals; /* pairs of a sha512 digest and its sha256 digest */
};

/*
 * Reads all manifests of the repository. First set collection and name, and everything else to
 * zeros.
 */
int graph_read(struct graph *graph, struct error *err) MUST_USE;
void graph_done(struct graph *graph);

/* Records in the collection what stays in the repository and what is removed. 0 or -ENOMEM. */
int graph_settle(struct graph *graph) MUST_USE;

/* The manifest with that id, or NULL. */
struct graph_node *graph_find(const struct graph *graph, const struct digest_id *id);

/* Finds the id of the bytes of a digest in the repository. STORE_NOT_FOUND if it is unknown. */
int graph_resolve(const struct graph *graph, const struct digest *digest, struct digest_id *ret,
                  struct error *err) MUST_USE;

/* Reads the digest in a link; STORE_NOT_FOUND if there is no link. An empty link is a failure. */
int graph_read_link(const struct graph *graph, const struct key *key, struct digest *ret,
                    struct error *err) MUST_USE;
