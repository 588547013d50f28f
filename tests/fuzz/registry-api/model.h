#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"

/*
 * What a registry is, in sets: small enough to be right at a glance. Contents and manifests are known from the start
 * and named by number; each repository has some of them.
 */
enum { MODEL_REPOSITORIES = 2, MODEL_BLOBS = 5, MODEL_MANIFESTS = 6, MODEL_TAGS = 3, MODEL_UPLOADS = 3, MODEL_NONE = -1 };

struct model_manifest {
    char *text;
    size_t size;
    const char *media_type;
    struct digest digest;
    int blobs[3];    /* that it names, MODEL_NONE at the end */
    int children[2]; /* manifests, likewise */
    int subject;     /* a manifest, or MODEL_NONE */
};

struct model_upload {
    int repository; /* MODEL_NONE: there is none */
    char id[64];
    char bytes[4096];
    size_t size;
};

struct model {
    bool has_blob[MODEL_REPOSITORIES][MODEL_BLOBS];
    bool has_manifest[MODEL_REPOSITORIES][MODEL_MANIFESTS];
    bool was_pushed_to[MODEL_REPOSITORIES]; /* a manifest, ever: then there is a list of tags */
    int tags[MODEL_REPOSITORIES][MODEL_TAGS];
    bool has_bytes[MODEL_BLOBS]; /* in whatever repository, deleted or not */
    struct model_upload uploads[MODEL_UPLOADS];
};

/* The same for every model; made at the first call. */
const char *model_repository(int repository);
const char *model_tag(int tag);
const char *model_blob(int blob, size_t *ret_size);
const struct digest *model_blob_digest(int blob);
const struct model_manifest *model_manifest(int manifest);
int model_find_manifest(const char *digest);

void model_start(struct model *model);

/* Whether a repository has all that a manifest names. */
bool model_has_parts(const struct model *model, int repository, int manifest);

void model_put(struct model *model, int repository, int manifest, int tag);
void model_delete_manifest(struct model *model, int repository, int manifest);

/* Makes an upload a blob, if its bytes are those; whether they are. It is over in either case. */
bool model_finish_upload(struct model *model, struct model_upload *upload, int blob);

/* The collection of garbage. */
void model_collect(struct model *model, bool does_untag);
