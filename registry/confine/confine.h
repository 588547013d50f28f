#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * When registryd starts, it drops the rights that it does not need, so that an attacker who takes
 * it over gains little. Call these functions in this order on the main thread, before other threads
 * start. Those inherit the restrictions.
 */
enum { CONFINE_PORTS_MAX = 4 };

struct confinement {
    const char *user;         /* the user to become; NULL: see becomes_owner */
    /* if root runs without user: become the storage's owner, which may be root */
    bool becomes_owner;
    const char *storage; /* a directory below which everything is allowed; NULL: none */
    const char *cache;  /* a directory in which files may be read, written and removed; NULL: none */
    const char *source;  /* a directory below which everything may be read; NULL: none */
    /*
     * The ports to which the process may open TCP connections, at hosts whose names it may resolve;
     * 0 for no more. Without any, it may open no connection.
     */
    unsigned ports[CONFINE_PORTS_MAX];
    const char *authorities; /* a file with certificates that servers are checked with; or NULL */
    const char *token_file; /* another file to read, in the same way as files; or NULL */
    /* files to read, which may be replaced meanwhile; NULLs are skipped */
    const char *const *files;
    size_t file_count;
    /* set by confine_identity(): root needs CAP_DAC_OVERRIDE for other users' files */
    bool keeps_override;
};

/*
 * Call it when the sockets are open. Changes the user permanently, drops all capabilities except
 * the one for locked memory, and sets no_new_privs. Root keeps CAP_DAC_OVERRIDE if the files need
 * it, which is logged. 0 or negative.
 */
int confine_identity(struct confinement *confinement, struct error *err) MUST_USE;

/*
 * Call it when all files have been read and the storage is open. Drops the last capability, then
 * enables Landlock (which allows the storage, the cache, reading the source, the directories of the files to read, links followed,
 * and no TCP except accepted connections and those to the ports) and seccomp (which allows the
 * system calls that registryd needs). Restrictions that the kernel does not support are logged and
 * skipped. A build with a sanitizer needs more and skips both. 0 or negative.
 */
int confine_rest(const struct confinement *confinement, struct error *err) MUST_USE;

/*
 * For a short command that works on files named by its caller: forbids new privileges, other
 * programs and the network. Silently skips restrictions that the kernel does not support or that a
 * sanitizer prevents. 0 or negative.
 */
int confine_tool(struct error *err) MUST_USE;

/*
 * Whether this program was built with a sanitizer, so that confine_rest() leaves out Landlock and
 * seccomp.
 */
bool confine_is_sanitized(void);
