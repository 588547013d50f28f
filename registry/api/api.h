#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "common/network.h"
#include "registry/access/access.h"
#include "registry/api/body.h"
#include "registry/core/health.h"
#include "registry/core/pulls.h"
#include "registry/core/store.h"
#include "registry/runtime/worker-pool.h"

/*
 * The registry's API (OCI distribution specification 1.1). Where the specification does not define
 * an answer, it answers as registry:2 does.
 */
struct metrics;
struct page_state;

/* With "auth: token", the token server that issues tokens to clients; all borrowed. */
struct api_token_server {
    const char *realm; /* its URL */
    const char *service;
    /* a path on the host of the request, used instead of realm; or NULL */
    const char *redirect_path;
};

/* How many login forms are being received, in total and by client network; atomic. */
enum { FORM_CLIENTS = 1024 }; /* networks are counted by a hash with this many values */

struct form_counts {
    unsigned total, by_client[FORM_CLIENTS];
};

/* The room of the file system of the storage, in bytes. */
struct api_room {
    uint64_t free, total;
};

struct api {
    struct store *store;         /* borrowed, as are the next four */
    struct health *health;
    const struct access *access;
    struct worker_pool *workers; /* for work that waits for the disk */
    /*
     * For work that computes for long: passwords, large manifests. A few threads of low priority.
     */
    struct worker_pool *computers;
    /*
     * For such work that also reads from a remote storage, so that one that hangs does not keep
     * passwords waiting; NULL if the storage is not remote.
     */
    struct worker_pool *readers;
    /* For waiting until a remote storage has more bytes of a blob; NULL if it is not remote. */
    struct worker_pool *streams;
    const char *realm;
    struct api_token_server token_server; /* if access has external tokens */
    const char *host; /* http.host, the start of every Location; NULL: taken from the request */
    const char *prefix;  /* before every path, without a slash at its end; "" for none */
    bool has_relative_urls;
    bool is_delete_enabled;
    bool is_read_only;
    bool redirects; /* answers GET and HEAD of blobs with addresses in the storage */
    /* for the page and its extension of the API (docs/page.md); borrowed; NULL: not served */
    struct page_state *page;
    /* 0 or -errno; any thread; NULL: the storage is in no file system */
    int (*find_room)(const void *object, struct api_room *ret);
    const void *find_room_object;
    size_t catalog_max;  /* names in one page of the catalog */
    size_t tags_max;     /* names in one page of a tag list; 0 is no limit */
    /* Called, on any thread, for a blob that does not match its digest. May be NULL. */
    void (*report_damage)(const struct digest *canonical);
    struct metrics *metrics;                /* borrowed; may be NULL */
    struct pull_log *pulls; /* borrowed; NULL: pulls are not recorded */
    const struct network *trusted_proxies;  /* borrowed; their X-Forwarded-For counts */
    size_t trusted_proxy_count;

    /* Used by the API only. */
    struct body_budget bodies;
    struct form_counts forms;
    unsigned char handlers[ROUTE_KINDS]; /* indexes of routes_list_handlers(), by enum route_kind */
};
