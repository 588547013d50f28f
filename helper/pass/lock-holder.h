#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/macros.h"

/* Who holds the lock on a file or directory, as far as /proc tells. */
struct pass_lock_holder {
    pid_t pid;
    uid_t uid;
    char name[17]; /* the program's */
    char user[64]; /* the user's name, or "user <uid>" */
};

/*
 * Finds the first holder of a flock() on the file or directory open at fd. 0, -ENOENT if /proc
 * shows none (it may be in another PID namespace, or have ended), or -errno.
 */
int pass_lock_find_holder(int fd, struct pass_lock_holder *ret) MUST_USE;

/*
 * Finds, in the text of /proc/locks, the process that holds a flock() on this inode: the skip-th
 * one, counted from 0. Processes that wait for a lock do not count. The process id, or 0 if there
 * is none. Pure.
 */
pid_t pass_lock_parse(const char *text, const struct stat *st, size_t skip);

/*
 * Whether that user should not hold the lock: they are neither the caller nor root, and only the
 * caller, its owner, may change the directory at fd.
 */
bool pass_lock_is_stranger(const struct pass_lock_holder *holder, int fd);
