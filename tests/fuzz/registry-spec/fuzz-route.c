/*
 * Routes: a recognised route has valid parts, and the path made of them is the same route.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/spec/route.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* Returns the path of a route with a name; NULL if its last part is missing. */
static char *make_path(const struct route *route)
{
    char digest[DIGEST_TEXT_SIZE], *path = NULL;
    int length = -1;

    digest_format(&route->digest, digest);
    switch (route->kind) {
    case ROUTE_TAGS:
        length = asprintf(&path, "/v2/%s/tags/list", route->name);
        break;
    case ROUTE_MANIFEST_TAG:
        length = asprintf(&path, "/v2/%s/manifests/%s", route->name, route->tag);
        break;
    case ROUTE_MANIFEST_DIGEST:
        length = asprintf(&path, "/v2/%s/manifests/%s", route->name, digest);
        break;
    case ROUTE_BLOB:
        length = asprintf(&path, "/v2/%s/blobs/%s", route->name, digest);
        break;
    case ROUTE_UPLOADS:
        length = asprintf(&path, "/v2/%s/blobs/uploads/", route->name);
        break;
    case ROUTE_UPLOAD:
        length = asprintf(&path, "/v2/%s/blobs/uploads/%s", route->name, route->upload);
        break;
    case ROUTE_REFERRERS:
        length = asprintf(&path, "/v2/%s/referrers/%s", route->name, digest);
        break;
    case ROUTE_PAGE_TAGS:
        length = asprintf(&path, "/v2/%s/_page/tags", route->name);
        break;
    case ROUTE_PAGE_REPOSITORY_SPACE:
        length = asprintf(&path, "/v2/%s/_page/space", route->name);
        break;
    case ROUTE_PAGE_CONSEQUENCES:
        length = asprintf(&path, "/v2/%s/_page/consequences", route->name);
        break;
    default:
        return NULL;
    }
    REQUIRE(length >= 0);
    return path;
}

static bool is_good(enum route_kind kind)
{
    return kind != ROUTE_NONE && kind != ROUTE_NAME_INVALID && kind != ROUTE_MANIFEST_BAD_DIGEST &&
           kind != ROUTE_BLOB_BAD_DIGEST && kind != ROUTE_REFERRERS_BAD_DIGEST &&
           kind != ROUTE_UPLOAD_BAD;
}

static void check(const struct route *route)
{
    CLEANUP_FREE char *path = make_path(route);
    struct route again;

    REQUIRE(!*route->name || name_is_repository(route->name, strlen(route->name)));
    REQUIRE(!*route->tag || name_is_tag(route->tag, strlen(route->tag)));
    REQUIRE(!*route->upload || name_is_upload(route->upload, strlen(route->upload)));
    if (!path)
        return;
    REQUIRE(*route->name);
    route_parse(path, strlen(path), &again);
    REQUIRE(again.kind == route->kind && strcmp(again.name, route->name) == 0);
    REQUIRE(strcmp(again.tag, route->tag) == 0 && strcmp(again.upload, route->upload) == 0);
    REQUIRE(strcmp(again.digest.hex, route->digest.hex) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route route;

    route_parse_escaped((const char *)data, size, &route);
    fuzz_was_accepted = is_good(route.kind);
    check(&route);
    route_parse((const char *)data, size, &route);
    check(&route);
    return 0;
}
