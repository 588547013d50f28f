#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * Giving up, at the start, what a server does not need: so that whoever finds a hole in it finds little behind it. In
 * the order of these functions, on the main thread, before others are started, which then have no more than it.
 */
struct confinement {
    const char *user;                         /* NULL: stay who we are */
    const char *storage;                      /* the folder below which anything may be done */
    const char *const *files;                 /* what is read, and may be replaced by others; NULLs among them are passed over */
    size_t file_count;
    bool keeps_override;                      /* set by confine_identity(): files belong to others, and root has to read them */
};

/*
 * Once the sockets are open: becomes the user, for good; gives up all capabilities but that for locked memory, and the
 * way to new ones by any program. Root keeps CAP_DAC_OVERRIDE where the files need it, which is logged. 0 or negative.
 */
int confine_identity(struct confinement *confinement, struct error *err) MUST_USE;

/*
 * Once all files have been read and the storage is open: the last capability, then Landlock (the storage, and the folders
 * of the files to read, links followed; no TCP but what is accepted) and seccomp (what calls the server makes).
 * What the kernel does not have is logged and left out; under a sanitizer, which needs more, both are. 0 or negative.
 */
int confine_rest(const struct confinement *confinement, struct error *err) MUST_USE;

/* Whether this program was built with a sanitizer, which confine_rest() leaves room for. */
bool confine_is_sanitized(void);
