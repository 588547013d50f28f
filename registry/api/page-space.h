#pragma once

#include "registry/api/endpoint.h"
#include "registry/api/page-state.h"

/* The measurement of the registry, as far as a user may see it. */
struct page_space {
    const struct space *space;
    bool *counts; /* which repositories the user may pull, by their index; NULL: all */
};

/*
 * Gets it, for a phase on a worker; may take long. 0, STORE_BUSY while another request measures, or
 * negative (-E2BIG: too much for the page). Give it back with page_space_done().
 */
int page_space_get(const struct call *call, struct page_space *ret, struct error *err) MUST_USE;
void page_space_done(const struct call *call, struct page_space *space);
