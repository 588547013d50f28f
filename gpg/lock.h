#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * GnuPG's lock files. Each holds the process id and the host name of its holder. gpg removes a lock whose process has ended on
 * this machine, and otherwise waits for it, often without end.
 */
enum gpg_lock_state {
    GPG_LOCK_HELD,      /* its process runs on this machine */
    GPG_LOCK_STALE,     /* its process has ended; if that id is in use, another process has it now */
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
 * Looks at the locks for starting gpg-agent and keyboxd, of keyboxd's database, of the public keyring and of the trust
 * database in gpg's home directory, one after another from *at on (0 at first; it is moved behind the lock that was found).
 * False if there are no more.
 */
bool gpg_lock_next(const char *home, unsigned *at, struct gpg_lock *ret);

/* Reads the text of a lock file. False if it has another form. Pure. */
bool gpg_lock_parse(const char *text, struct gpg_lock *ret);
