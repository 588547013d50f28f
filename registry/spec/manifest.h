#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/error.h"

/* The types of manifests. */
#define MANIFEST_OCI_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define MANIFEST_OCI_INDEX "application/vnd.oci.image.index.v1+json"
/* obsolete, still in use */
#define MANIFEST_OCI_ARTIFACT "application/vnd.oci.artifact.manifest.v1+json"
#define MANIFEST_DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define MANIFEST_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

enum { MANIFEST_TYPE_SIZE = 256 }; /* a media type in text, with its NUL */

/* A reference from a manifest to a blob or another manifest. */
struct manifest_descriptor {
    struct digest digest;
    uint64_t size; /* 0 if the manifest states none */
    char *media_type; /* "" if it states none */
    /* a non-distributable ("foreign") layer, or one with urls: need not be here */
    bool is_elsewhere;
};

struct manifest_descriptors {
    struct manifest_descriptor *items;
    size_t count;
};

/* A parsed manifest; all members are owned. */
struct manifest {
    char media_type[MANIFEST_TYPE_SIZE];
    bool is_type_stated; /* the manifest states its mediaType */
    struct manifest_descriptors blobs;     /* config first, then the layers in order */
    struct manifest_descriptors manifests; /* of an index or list */
    bool has_subject;
    struct digest subject;
    char *artifact_type; /* for lists of referrers; NULL: none */
    char *annotations;   /* a JSON object without white space; NULL if it has none */
};

/* Whether media_type, without parameters, is one of the types above. */
bool manifest_is_supported_type(const char *media_type);

/*
 * Copies a Content-Type without parameters and white space, in lower case. 0, or -EINVAL if it is
 * empty or longer than MANIFEST_TYPE_SIZE.
 */
int manifest_strip_type(const char *content_type, char ret_type[MANIFEST_TYPE_SIZE]) MUST_USE;

/*
 * Parses a manifest. content_type is the type that it was pushed with, with or without parameters;
 * NULL or "" if it is unknown. Then the manifest's mediaType decides or, as in registry:2, whether
 * it has `manifests` (an OCI index) or a `config` (an OCI image manifest).
 *
 * Returns 0 with *ret owned by the caller (free with manifest_done()), or negative: -EBADMSG (not
 * JSON, or nested too deep), -ENOTSUP (another type, for example docker's schema 1), -EINVAL
 * (malformed), -ENOMEM. Takes time linear in size. Any thread may call it.
 */
int manifest_parse(const char *content_type, const void *bytes, size_t size, struct manifest *ret,
                   struct error *err) MUST_USE;
void manifest_done(struct manifest *manifest);
