#pragma once

#include <stddef.h>

#include "common/digest.h"
#include "registry/spec/name.h"

/*
 * From a URL's path to what it names. Repositories may have parts like "blobs" and "tags" in
 * their names, so a path is read from its end. Pure, in linear time; from any thread.
 */
enum route_kind {
    ROUTE_NONE,                 /* no path of ours, or control characters in it */
    ROUTE_ROOT,                 /* / */
    ROUTE_HEALTH,               /* /healthz */
    ROUTE_TOKEN,                /* /token */
    ROUTE_BASE_REDIRECT,        /* /v2 */
    ROUTE_BASE,                 /* /v2/ */
    ROUTE_CATALOG,              /* /v2/_catalog */
    ROUTE_TAGS,                 /* /v2/NAME/tags/list */
    ROUTE_MANIFEST_TAG,         /* /v2/NAME/manifests/TAG */
    ROUTE_MANIFEST_DIGEST,      /* /v2/NAME/manifests/DIGEST */
    ROUTE_MANIFEST_BAD_DIGEST,  /* the reference has a ':', but is no digest of ours: DIGEST_INVALID */
    ROUTE_BLOB,                 /* /v2/NAME/blobs/DIGEST */
    ROUTE_BLOB_BAD_DIGEST,      /* DIGEST_INVALID */
    ROUTE_UPLOADS,              /* /v2/NAME/blobs/uploads/, also without the last slash */
    ROUTE_UPLOAD,               /* /v2/NAME/blobs/uploads/ID */
    ROUTE_UPLOAD_BAD,           /* ID does not have the form of ours: BLOB_UPLOAD_UNKNOWN */
    ROUTE_REFERRERS,            /* /v2/NAME/referrers/DIGEST */
    ROUTE_REFERRERS_BAD_DIGEST, /* DIGEST_INVALID */
    ROUTE_NAME_INVALID,         /* one of those with NAME, which is invalid: NAME_INVALID */
    ROUTE_KINDS,                /* how many there are */
};

/* The members that the path has no part for are empty. */
struct route {
    enum route_kind kind;
    char name[NAME_MAX_SIZE + 1];    /* "" for ROUTE_NAME_INVALID too */
    struct digest digest;            /* of ROUTE_BLOB, ROUTE_MANIFEST_DIGEST, ROUTE_REFERRERS */
    char tag[TAG_MAX_SIZE + 1];      /* of ROUTE_MANIFEST_TAG */
    char upload[UPLOAD_ID_SIZE + 1]; /* of ROUTE_UPLOAD */
};

/* Reads a decoded path, without query and http.prefix. */
void route_parse(const char *path, size_t size, struct route *ret);

/* Reads a path with its percent-escapes; an invalid escape gives ROUTE_NONE. */
void route_parse_escaped(const char *path, size_t size, struct route *ret);

/* Methods, as bits. */
enum {
    ROUTE_METHOD_GET = 1 << 0,
    ROUTE_METHOD_HEAD = 1 << 1,
    ROUTE_METHOD_POST = 1 << 2,
    ROUTE_METHOD_PUT = 1 << 3,
    ROUTE_METHOD_PATCH = 1 << 4,
    ROUTE_METHOD_DELETE = 1 << 5,
};

/* The bit of a method (they are case-sensitive), 0 for others. */
unsigned route_method_parse(const char *method);
