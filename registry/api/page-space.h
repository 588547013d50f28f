#pragma once

#include "registry/api/endpoint.h"
#include "registry/api/page-state.h"
#include "registry/http/response.h"

/* The measurement of the registry, as far as a user may see it. */
struct page_space {
    const struct space *space;
    bool *counts; /* which repositories the user may pull, by their index; NULL: all */
};

/*
 * Gets it, for a phase on a worker; may take long. 0, or negative or STORE_BUSY, which
 * page_space_refuse() answers. Give it back with page_space_done().
 */
int page_space_get(const struct call *call, struct page_space *ret, struct error *err) MUST_USE;
void page_space_done(const struct call *call, struct page_space *space);
enum http_result page_space_refuse(struct call *call, struct response *response, int r,
                                   struct error *err);
