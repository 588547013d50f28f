#pragma once

#include <stddef.h>
#include <stdint.h>

#include "registry/core/progress.h"
#include "registry/core/store.h"

/*
 * Finds bit rot: reads every blob and manifest and compares it with its digest. Then finds links in
 * repositories that are invalid or lead to missing bytes. Changes nothing; servers may be running.
 */
struct verify_options {
    void (*say)(void *object, const char *line); /* gets each finding; NULL: silent */
    void *object;
    progress_function
        *progress; /* NULL: nobody watches, and the blobs are not counted before they are read */
    void *progress_object;
};

struct verify_result {
    size_t blobs;   /* how many were read, manifests included */
    uint64_t bytes; /* in them */
    size_t damaged; /* of these, how many do not match their digest or cannot be read */
    size_t missing; /* how many links to bytes, or tags of manifests, lead to nothing */
    size_t wrong;   /* how many links contain no digest, or not the one in their path */
};

/*
 * Returns 0, even if something is damaged or missing, or negative if that could not be found out.
 */
int store_verify(struct store *store, const struct verify_options *options,
                 struct verify_result *ret, struct error *err) MUST_USE;
