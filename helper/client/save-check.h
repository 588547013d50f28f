#pragma once

#include <stdbool.h>

#include "common/error.h"

/*
 * Whether a client could save a login in its file. Every client writes a temporary file and renames
 * it over the old one; no client falls back to writing in place. The check creates and removes such
 * a temporary file, and judges the rename by everything that makes the kernel refuse it. It leaves
 * nothing behind.
 */
enum client_save_result {
    CLIENT_SAVE_WORKS,
    CLIENT_SAVE_CANNOT_READ, /* path: the file (EINVAL: not a regular file) */
    /* path: the file, which the user may not read, but may replace */
    CLIENT_SAVE_IS_UNREADABLE,
    CLIENT_SAVE_CANNOT_MAKE_DIRECTORY, /* path: the missing directory */
    CLIENT_SAVE_CANNOT_CREATE,         /* path: the directory that takes the temporary file */
    CLIENT_SAVE_CANNOT_REPLACE,        /* path: the file that would be replaced */
};

struct client_save_check {
    enum client_save_result result;
    /* errno of the step that fails; EBUSY: a mount point, EXDEV: a link to another file system */
    int code;
    char *path; /* what that step works on; owned */
};

/* What a client does if the path of the file is a symbolic link. */
enum client_save_method {
    /* docker: a temporary file beside the link replaces the link's target */
    CLIENT_SAVE_THROUGH_LINK,
    /* podman, buildah, skopeo, and docker 28 for a link that leads nowhere: it replaces the link */
    CLIENT_SAVE_OVER_LINK,
};

/*
 * Whether path is a link whose target, or the target's directory, does not exist, or that leads to
 * itself.
 */
bool client_save_is_dead_link(const char *path);

/*
 * Checks the file at path, which may be missing. A step that fails is a result, not an error. *ret
 * is owned by the caller, free with client_save_check_done(). 0 or -ENOMEM.
 */
int client_save_check(const char *path, enum client_save_method method,
                      struct client_save_check *ret, struct error *err) MUST_USE;
void client_save_check_done(struct client_save_check *check);

/*
 * Fills err with one sentence on what fails, why, and what helps. Returns -check->code, or 0 if
 * everything works.
 */
int client_save_check_explain(const struct client_save_check *check, struct error *err);
