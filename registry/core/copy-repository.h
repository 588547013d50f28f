#pragma once

#include "registry/core/copy-blobs.h"
#include "registry/core/copy-table.h"
#include "registry/core/lists.h"
#include "registry/core/parallel.h"

/* The copy of a registry; shared by its threads, and constant but for what the pointers lead to. */
struct copy {
    struct store *from, *to;
    const struct copy_options *options;
    struct copy_report *report;
    struct copy_blobs *blobs;
    struct parallel *threads;
};

enum { COPY_ALGORITHMS = 2, COPY_OBJECTS_AT_ONCE = 8 };

extern const enum digest_algorithm copy_algorithms[COPY_ALGORITHMS];

/* What a repository has, in one of the storages. Free with copy_content_done(). */
struct copy_content {
    struct storage_list tags;
    struct store_digests revisions[COPY_ALGORITHMS], layers[COPY_ALGORITHMS];
};
void copy_content_done(struct copy_content *content);
int copy_list_content(struct store *store, const char *name, struct copy_content *content,
                      struct error *err) MUST_USE;

struct copy_tag {
    const char *name;
    bool exists;    /* the source has it, with a digest */
    bool is_wanted; /* the destination lacks it, or has an older one */
    struct digest digest;
    int64_t pushed_ns;
};

struct copy_repository {
    const struct copy *copy;
    const char *name;
    struct copy_content from, to; /* constant while several threads work */
    struct copy_table done;       /* blobs whose links were copied or are left out */
    struct copy_tag *tags;        /* for each entry of from.tags; later those that are wanted */
    size_t first_tag;             /* that is being written */
};

/* --- the steps of copy_one_repository(), each 0 or negative ---------------------------------- */

/* Reads the tags of from.tags in both storages, and drops those that do not exist. */
int copy_read_tags(struct copy_repository *repository, struct error *err) MUST_USE;
int copy_manifests(struct copy_repository *repository, struct error *err) MUST_USE;
int copy_layers(struct copy_repository *repository, struct error *err) MUST_USE;
int copy_tags(struct copy_repository *repository, struct error *err) MUST_USE;

/*
 * Copies the records of a repository: when tags were pulled, who pushed them, since when manifests
 * are without a tag.
 */
int copy_repository_records(const struct copy *copy, const char *name, struct error *err) MUST_USE;

/*
 * Removes, or counts, what a repository has only in the destination. there is its content there;
 * here that in the source, NULL if the source does not have the repository. What was pushed to the
 * source since it was listed stays.
 */
int copy_remove_surplus(const struct copy *copy, const char *name, const struct copy_content *there,
                        const struct copy_content *here, struct error *err) MUST_USE;

/* --- the parts of a copy, each 0 or negative ------------------------------------------------- */

/* Adds what a repository is going to copy to the totals of the progress. */
int copy_count_repository(const struct copy *copy, const char *name, struct error *err) MUST_USE;

/* Copies a repository, and removes or counts what only the destination has. */
int copy_one_repository(const struct copy *copy, const char *name, struct error *err) MUST_USE;

/* Copies the records and secrets that belong to no repository. */
int copy_common_records(const struct copy *copy, struct error *err) MUST_USE;

/* --- links ----------------------------------------------------------------------------------- */

/*
 * Whether a link exists that is not empty, as registry:2 leaves it after a power failure. 1, 0 or
 * negative.
 */
int copy_has_link(struct store *store, const struct key *link, struct error *err) MUST_USE;

/*
 * Reads a link of the source. Returns 0; STORAGE_NOT_FOUND if it does not exist or is invalid,
 * which was reported; or negative.
 */
int copy_read_link(const struct copy *copy, const struct key *link, struct digest *ret,
                   struct error *err) MUST_USE;
void copy_report_link(const struct copy *copy, const struct key *link, const char *why);

/*
 * Writes bytes that rely on nothing else to a key of the destination, unless they are there
 * already. 0 or negative.
 */
int copy_put(const struct copy *copy, const char *key, const void *bytes, size_t size,
             struct error *err) MUST_USE;
