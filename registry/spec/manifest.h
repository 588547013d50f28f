#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/error.h"

/* The types of manifests. */
#define MANIFEST_OCI_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define MANIFEST_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MANIFEST_OCI_ARTIFACT "application/vnd.oci.artifact.manifest.v1+json" /* retired, but pushed by some */
#define MANIFEST_DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define MANIFEST_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

enum { MANIFEST_TYPE_SIZE = 256 }; /* a media type in text, with its NUL */

/* What a manifest says of another object. */
struct manifest_descriptor {
    struct digest digest;
    uint64_t size;     /* 0 where the manifest says none */
    char *media_type;  /* "" where it says none */
    bool is_elsewhere; /* a non-distributable ("foreign") layer, or one with urls: need not be here */
};

struct manifest_descriptors {
    struct manifest_descriptor *items;
    size_t count;
};

/* What the registry must know of a manifest; all of it owned. */
struct manifest {
    char media_type[MANIFEST_TYPE_SIZE];
    bool is_type_stated; /* it has a mediaType, which is that one */
    struct manifest_descriptors blobs;     /* config first, then the layers in order */
    struct manifest_descriptors manifests; /* of an index or list */
    bool has_subject;
    struct digest subject;
    char *artifact_type; /* for its descriptor among the referrers; NULL where that has none */
    char *annotations;   /* a JSON object without white space; NULL if it has none */
};

/* Whether that is one of the types above (without parameters). */
bool manifest_is_supported_type(const char *media_type);

/*
 * A Content-Type without its parameters and white space, in lower case. 0, or -EINVAL where it is
 * empty or longer than MANIFEST_TYPE_SIZE.
 */
int manifest_strip_type(const char *content_type, char ret_type[MANIFEST_TYPE_SIZE]) MUST_USE;

/*
 * Reads a manifest. content_type is what it was pushed as, with parameters or without; NULL or ""
 * where nobody knows any more: then its own mediaType decides, or, as in registry:2, whether it has
 * `manifests` (an OCI index) or a `config` (an OCI image manifest).
 *
 * 0 with *ret owned by the caller (manifest_done), or negative: -EBADMSG (no JSON, or nested too
 * deep), -ENOTSUP (another type, docker's schema 1 among it), -EINVAL (malformed), -ENOMEM.
 * Linear in size; from any thread; in ordinary memory.
 */
int manifest_parse(const char *content_type, const void *bytes, size_t size, struct manifest *ret,
                   struct error *err) MUST_USE;
void manifest_done(struct manifest *manifest);
