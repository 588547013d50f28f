#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * GnuPG's lock files. Each holds the process id and the host name of its holder. gpg removes a lock
 * whose process has ended on this machine, and otherwise waits for it, often without end.
 */
enum gpg_lock_state {
    GPG_LOCK_HELD, /* its process runs on this machine */
    /* its process has ended; if that id is in use, another process has it now */
    GPG_LOCK_STALE,
    GPG_LOCK_ELSEWHERE, /* it names another machine, for example a container that is gone */
};

struct gpg_lock {
    char path[PATH_MAX];
    enum gpg_lock_state state;
    pid_t pid;
    char host[200];
    char program[17]; /* GPG_LOCK_HELD: the name of the holder's program; "" if it is unknown */
};

/*
 * Finds the next lock in gpg's home directory: for starting gpg-agent and keyboxd, of keyboxd's
 * database, of the public keyring and of the trust database. *at is 0 for the first call and then
 * refers to the next lock. False if there are no more.
 */
bool gpg_lock_next(const char *home, unsigned *at, struct gpg_lock *ret);

/* Reads the text of a lock file. False if it has another form. Pure. */
bool gpg_lock_parse(const char *text, struct gpg_lock *ret);
