#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"

/*
 * A model of a registry with sets, simple enough to be obviously correct. Contents and manifests are fixed and have
 * numbers; each repository has some of them.
 */
enum { MODEL_REPOSITORIES = 2, MODEL_BLOBS = 5, MODEL_MANIFESTS = 6, MODEL_TAGS = 3, MODEL_UPLOADS = 3, MODEL_NONE = -1 };

struct model_manifest {
    char *text;
    size_t size;
    const char *media_type;
    struct digest digest;
    int blobs[3];    /* its blobs, MODEL_NONE at the end */
    int children[2]; /* its manifests, in the same way */
    int subject;     /* a manifest, or MODEL_NONE */
};

struct model_upload {
    int repository; /* MODEL_NONE: no upload */
    char id[64];
    char bytes[4096];
    size_t size;
};

struct model {
    bool has_blob[MODEL_REPOSITORIES][MODEL_BLOBS];
    bool has_manifest[MODEL_REPOSITORIES][MODEL_MANIFESTS];
    bool was_pushed_to[MODEL_REPOSITORIES]; /* a manifest was ever pushed: then a list of tags exists */
    int tags[MODEL_REPOSITORIES][MODEL_TAGS];
    bool has_bytes[MODEL_BLOBS]; /* in any repository, deleted or not */
    struct model_upload uploads[MODEL_UPLOADS];
};

/* The same for every model; created at the first call. */
const char *model_repository(int repository);
const char *model_tag(int tag);
const char *model_blob(int blob, size_t *ret_size);
const struct digest *model_blob_digest(int blob);
const struct model_manifest *model_manifest(int manifest);
int model_find_manifest(const char *digest);

void model_start(struct model *model);

/* Whether a repository has everything that a manifest references. */
bool model_has_parts(const struct model *model, int repository, int manifest);

void model_put(struct model *model, int repository, int manifest, int tag);
void model_delete_manifest(struct model *model, int repository, int manifest);

/* Commits an upload if its bytes match; returns whether they do. The upload ends in either case. */
bool model_finish_upload(struct model *model, struct model_upload *upload, int blob);

/* Garbage collection. */
void model_collect(struct model *model, bool does_untag);
