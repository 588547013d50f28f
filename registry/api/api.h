#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "common/network.h"
#include "registry/access/access.h"
#include "registry/api/body.h"
#include "registry/core/pulls.h"
#include "registry/core/store.h"
#include "registry/runtime/worker-pool.h"

/*
 * The registry's API: what each route and method does (OCI distribution specification 1.1; what
 * registry:2 answers where it is silent).
 */
struct metrics;

/* The token server that clients are sent to with "auth: token"; all borrowed. */
struct api_token_server {
    const char *realm; /* its URL */
    const char *service;
    const char *redirect_path; /* instead of realm: a path on the host that the client asked for; NULL: realm */
};

struct api {
    struct store *store;         /* borrowed, as are the next three */
    const struct access *access;
    struct worker_pool *workers;   /* for what waits for the disk */
    struct worker_pool *computers; /* for what computes for long: passwords, large manifests. A few threads of low priority */
    const char *realm;
    struct api_token_server token_server; /* if access has external tokens */
    const char *host;    /* http.host: before every Location; NULL: what the client asked for */
    const char *prefix;  /* before every path, without a slash at its end; "" for none */
    bool has_relative_urls;
    bool is_delete_enabled;
    bool is_read_only;
    size_t catalog_max;  /* names in one page of the catalog */
    size_t tags_max;     /* names in one page of a tag list; 0 is no limit */
    /* Told of a blob whose bytes are not those of its digest, on the thread that finds it out. May be NULL. */
    void (*report_damage)(const struct digest *canonical);
    struct metrics *metrics;                /* borrowed; may be NULL */
    struct pull_log *pulls;                 /* borrowed; NULL: nobody asks when something was pulled */
    const struct network *trusted_proxies;  /* borrowed: whose X-Forwarded-For is believed */
    size_t trusted_proxy_count;

    /* Its own. */
    struct body_budget bodies;
    unsigned forms; /* of logins that are being received; atomic */
    unsigned char handlers[ROUTE_KINDS]; /* of routes_list_handlers(), by enum route_kind */
};
