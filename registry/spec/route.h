#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "registry/spec/name.h"

/*
 * Parses the path of a URL. Repositories' names may contain "blobs" and "tags", so a path is parsed
 * from its end. Pure; linear time; any thread may call it.
 */
enum route_kind {
    ROUTE_NONE, /* an unknown path, or one with control characters */
    ROUTE_ROOT,                 /* / */
    ROUTE_HEALTH,               /* /healthz */
    ROUTE_TOKEN,                /* /token */
    ROUTE_TOKEN_REVOKE,         /* /token/revoke */
    ROUTE_BASE_REDIRECT,        /* /v2 */
    ROUTE_BASE,                 /* /v2/ */
    ROUTE_CATALOG,              /* /v2/_catalog */
    ROUTE_TAGS,                 /* /v2/NAME/tags/list */
    ROUTE_MANIFEST_TAG,         /* /v2/NAME/manifests/TAG */
    ROUTE_MANIFEST_DIGEST,      /* /v2/NAME/manifests/DIGEST */
    /* the reference has a ':', but is not a supported digest: DIGEST_INVALID */
    ROUTE_MANIFEST_BAD_DIGEST,
    ROUTE_BLOB,                 /* /v2/NAME/blobs/DIGEST */
    ROUTE_BLOB_BAD_DIGEST,      /* DIGEST_INVALID */
    ROUTE_UPLOADS,              /* /v2/NAME/blobs/uploads/, also without the last slash */
    ROUTE_UPLOAD,               /* /v2/NAME/blobs/uploads/ID */
    ROUTE_UPLOAD_BAD, /* ID is not a UUID: BLOB_UPLOAD_UNKNOWN */
    ROUTE_REFERRERS,            /* /v2/NAME/referrers/DIGEST */
    ROUTE_REFERRERS_BAD_DIGEST, /* DIGEST_INVALID */
    /* the page and its extension of the API: docs/page.md */
    ROUTE_PAGE_REDIRECT,        /* http.prefix without its slash */
    ROUTE_PAGE_ASSET,           /* /_page/PATH */
    ROUTE_PAGE_SELF,            /* /v2/_page/self */
    ROUTE_PAGE_REPOSITORIES,    /* /v2/_page/repositories */
    ROUTE_PAGE_SPACE,           /* /v2/_page/space */
    ROUTE_PAGE_REPOSITORY_SPACE, /* /v2/NAME/_page/space */
    ROUTE_PAGE_CONSEQUENCES,    /* /v2/NAME/_page/consequences */
    ROUTE_PAGE_HEALTH,          /* /v2/_page/health */
    ROUTE_PAGE_TAGS,            /* /v2/NAME/_page/tags */
    ROUTE_NAME_INVALID, /* a path with an invalid NAME: NAME_INVALID */
    ROUTE_KINDS, /* the number of kinds */
};

enum { ROUTE_ASSET_MAX = 95 };

/* A parsed path. Members that the path does not contain are empty. */
struct route {
    enum route_kind kind;
    char name[NAME_MAX_SIZE + 1];    /* "" for ROUTE_NAME_INVALID too */
    struct digest digest;            /* of ROUTE_BLOB, ROUTE_MANIFEST_DIGEST, ROUTE_REFERRERS */
    char tag[TAG_MAX_SIZE + 1];      /* of ROUTE_MANIFEST_TAG */
    char upload[UPLOAD_ID_SIZE + 1]; /* of ROUTE_UPLOAD */
    char asset[ROUTE_ASSET_MAX + 1]; /* of ROUTE_PAGE_ASSET: PATH, any text */
};

/* Parses a decoded path, without query and http.prefix. */
void route_parse(const char *path, size_t size, struct route *ret);

/* Parses a path with percent-escapes; an invalid escape gives ROUTE_NONE. */
void route_parse_escaped(const char *path, size_t size, struct route *ret);

/* Whether the route exists only for the page. */
bool route_is_of_page(enum route_kind kind);

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
