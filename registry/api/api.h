#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "registry/http/endpoint.h"
#include "registry/core/store.h"

/*
 * The registry's API: what each route and method does (OCI distribution specification 1.1; what
 * registry:2 answers where it is silent).
 */
struct api {
    struct store *store; /* borrowed */
    const char *host;    /* http.host: before every Location; NULL: what the client asked for */
    const char *prefix;  /* before every path, without a slash at its end; "" for none */
    bool has_relative_urls;
    bool is_delete_enabled;
    bool is_read_only;
    size_t catalog_max;  /* names in one page of the catalog */
    size_t tags_max;     /* names in one page of a tag list; 0 is no limit */
    /* Told of a blob whose bytes are not those of its digest, on the thread that finds it out. May be NULL. */
    void (*report_damage)(const struct digest *canonical);
};

/* An endpoint_finder; request->context is a struct api. */
endpoint_finder api_find_endpoint;
