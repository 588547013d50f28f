#pragma once

#include <stdint.h>

/* The progress of a long operation. */
struct progress {
    const char *step;                 /* the current step, such as "reading" */
    const char *unit;                 /* of the counts: "blobs", "repositories" */
    uint64_t done, total;             /* in the unit */
    uint64_t bytes_done, bytes_total; /* 0 and 0 if the step is not about bytes */
    /*
     * How far the current one of the units is, such as the manifests of a repository. NULL: not
     * known. A total of 0: how many there are is not known.
     */
    const char *part_unit;
    uint64_t part_done, part_total;
};

/* Called often, from the thread that works; must return soon. */
typedef void progress_function(void *object, const struct progress *progress);
