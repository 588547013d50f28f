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
    void (*say)(void *object, const char *line); /* receives each finding; NULL: silent */
    void *object;
    progress_function *progress; /* may be NULL; then the blobs are not counted first */
    void *progress_object;
};

struct verify_result {
    size_t blobs;   /* the number that were read, manifests included */
    uint64_t bytes; /* in them */
    size_t damaged; /* of these, the number that do not match their digest or cannot be read */
    size_t missing; /* links and tags that lead to missing bytes or manifests */
    size_t wrong;   /* links without a digest, or with another digest than their path */
};

/*
 * Returns 0, also if something is damaged or missing, or negative if the check could not be
 * completed.
 */
int store_verify(struct store *store, const struct verify_options *options,
                 struct verify_result *ret, struct error *err) MUST_USE;
