#pragma once

#include <stddef.h>

#include "common/error.h"

/* Shared libraries that are loaded only when a bucket is configured. */

/* A function of the library, and where its address goes. */
struct library_symbol {
    const char *name;
    void **place;
};

/*
 * Loads the first of the files that exists (NULL at the end) and fills the places of all symbols.
 * The library stays loaded. package: what to install, for the error. 0 or negative.
 */
int library_load(const char *const *files, const char *package,
                 const struct library_symbol *symbols, size_t count, struct error *err) MUST_USE;
