#pragma once

#include "registry/core/collect.h"
#include "registry/core/digest-set.h"
#include "registry/core/store-private.h"

/* What the files of the collection share. */

/*
 * A manifest that is to go. Those that name one another, as children or subject, are a family, and go together or not
 * at all; they follow one another.
 */
struct doomed {
    const char *name; /* of the repository; borrowed from the collection's names */
    struct digest_id id;
    size_t family;
};

struct collection {
    struct store *store;
    const struct collect_options *options;
    int64_t before_s; /* what was created or refreshed then (storage_now()) or later stays */
    struct store_names names; /* of all repositories */
    struct digest_set marks;  /* what stays: blobs and manifests */
    struct doomed *doomed;
    size_t doomed_count;
    struct collect_result result;
};

/* To be called between two steps. Negative: end the collection. */
int collect_pace(const struct collection *collection, struct error *err) MUST_USE;

/* Tells those who watch how far the collection is. */
void collect_show(const struct collection *collection, const char *step, const char *unit, uint64_t done, uint64_t total);

void collect_say(const struct collection *collection, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Marks what the manifests of a repository name, and notes those that are to go; changes nothing
 * on disk. Negative where one of them cannot be read.
 */
int collect_mark(struct collection *collection, const char *name, struct error *err) MUST_USE;

/* Marks what all manifests of a repository name. */
int collect_mark_all(struct collection *collection, const char *name, struct error *err) MUST_USE;

/*
 * Things that are to go, removed some at a time so that directories are synced once for many. Zeroed at first; freed by
 * sweep_batch_done().
 */
enum { SWEEP_BATCH = 64, SWEEP_WITNESSES = 2 };

struct sweep_item {
    struct key key, witnesses[SWEEP_WITNESSES];
    uint64_t size; /* of the bytes that go with it */
    const char *key_text, *witness_texts[SWEEP_WITNESSES];
};

struct sweep_batch {
    struct collection *collection;
    struct sweep_item *items; /* SWEEP_BATCH of them once there is one */
    struct storage_removal removals[SWEEP_BATCH];
    size_t count;
    uint64_t next_size; /* of the item that is added next */
};

/* Adds a prefix and the objects that spare it if they are used; removes those before it when they are many. */
int sweep_batch_add(struct sweep_batch *batch, const struct key *key, const struct key *witness,
                    const struct key *other_witness, struct error *err) MUST_USE;
int sweep_batch_flush(struct sweep_batch *batch, struct error *err) MUST_USE;
void sweep_batch_done(struct sweep_batch *batch);

/* Whether an object was created or refreshed lately. 1 or 0, or negative. */
int collect_is_used(const struct collection *collection, const struct key *key, struct error *err) MUST_USE;

/* Removes the doomed manifests that were not refreshed meanwhile, and marks what the others name. */
int collect_sweep_manifests(struct collection *collection, struct error *err) MUST_USE;

/* Removes the manifests noted, then all that is not marked; a dry run only says and counts. */
int collect_sweep(struct collection *collection, struct error *err) MUST_USE;

/* --- what the manifests of one repository name (collect-graph.c) ----------------------------- */

struct graph_node {
    struct digest_id id;
    struct digest_id subject;
    size_t first; /* in refs: children first, then blobs */
    size_t child_count, blob_count;
    size_t family; /* the place of another of its family, or its own */
    bool has_subject, is_kept;
    bool is_gone; /* since it was listed */
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

/* Notes in the collection what of the repository stays and what goes. 0 or -ENOMEM. */
int graph_settle(struct graph *graph) MUST_USE;

/* The manifest of that id; NULL where the repository has none. */
struct graph_node *graph_find(const struct graph *graph, const struct digest_id *id);

/* The id of the bytes that a digest of the repository stands for; STORE_NOT_FOUND if it is unknown. */
int graph_resolve(const struct graph *graph, const struct digest *digest, struct digest_id *ret,
                  struct error *err) MUST_USE;

/* The digest in a link; STORE_NOT_FOUND where there is no link. An empty link is a failure here. */
int graph_read_link(const struct graph *graph, const struct key *key, struct digest *ret, struct error *err) MUST_USE;
