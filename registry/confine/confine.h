#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * At its start, registryd gives up what it does not need, so that an attacker who takes it over gains little. Call these
 * functions in their order, on the main thread, before other threads are started, which inherit all of it.
 */
struct confinement {
    const char *user;         /* the user to become; NULL: see becomes_owner */
    bool becomes_owner;       /* only root changes the user: to user, or to the storage's owner (it may be root itself) */
    const char *storage;      /* the directory below which everything is allowed */
    const char *const *files; /* files to read, which others may replace; NULLs among them are skipped */
    size_t file_count;
    bool keeps_override;      /* set by confine_identity(): root needs CAP_DAC_OVERRIDE for other users' files */
};

/*
 * Once the sockets are open: changes the user for good, gives up all capabilities except the one for locked memory, and
 * forbids new privileges to this process and to any program it might run. Root keeps CAP_DAC_OVERRIDE if the files need
 * it, which is logged. 0 or negative.
 */
int confine_identity(struct confinement *confinement, struct error *err) MUST_USE;

/*
 * Once all files have been read and the storage is open: gives up the last capability, then puts Landlock (the storage,
 * and the directories of the files to read, links followed; no TCP but accepted connections) and seccomp (the system calls
 * that registryd makes) in force. Restrictions that the kernel does not support are logged and skipped; a build with a sanitizer, which
 * needs more, leaves out both. 0 or negative.
 */
int confine_rest(const struct confinement *confinement, struct error *err) MUST_USE;

/*
 * For a short command that works on files which its caller names: no new privileges, no program, no network. What the kernel
 * does not support, and what a sanitizer needs, is left out silently. 0 or negative.
 */
int confine_tool(struct error *err) MUST_USE;

/* Whether this program was built with a sanitizer, so that confine_rest() leaves out Landlock and seccomp. */
bool confine_is_sanitized(void);
