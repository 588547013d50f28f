#pragma once

#include <stddef.h>
#include <stdint.h>

#include "registry/core/progress.h"
#include "registry/core/store.h"

/*
 * Looks for bit rot: reads every blob and manifest there is and compares it with its digest, then looks in each
 * repository for links to bytes that are not there, or that hold what they should not. Changes nothing; servers may go on meanwhile.
 */
struct verify_options {
    void (*say)(void *object, const char *line); /* each finding; NULL: silently */
    void *object;
    progress_function *progress; /* NULL: nobody watches, and the blobs are not counted before they are read */
    void *progress_object;
};

struct verify_result {
    size_t blobs;   /* that were read, manifests among them */
    uint64_t bytes; /* in them */
    size_t damaged; /* of these, those that are not what their digest says, or cannot be read */
    size_t missing; /* links of repositories to bytes, or tags to manifests, that are not there */
    size_t wrong;   /* links that hold no digest, or another one than they should */
};

/* 0, also where something is damaged or missing; or negative: it could not be found out. */
int store_verify(struct store *store, const struct verify_options *options, struct verify_result *ret,
                 struct error *err) MUST_USE;
