#pragma once

#include <stdbool.h>

#include "common/error.h"

/*
 * A password store: the directory that PASSWORD_STORE_DIR names, or ~/.password-store, opened.
 * Opening only looks at the root, so its cost does not depend on the number of entries.
 */
struct pass_store {
    char *root;         /* absolute */
    int root_fd;        /* -1 while there is no such directory */
    int directory_fd;   /* docker-credential-helpers; -1 while it does not exist */
    char temporary[64]; /* set by pass_store_lock(): the name for temporary files */
    bool has_lock;
    bool has_blocked_signals;
};

#define PASS_STORE_INIT                                                                            \
    {                                                                                              \
        .root_fd = -1, .directory_fd = -1                                                          \
    }

/*
 * Finds the store and opens what exists of it; a missing store is not a failure. 0 or negative. The
 * caller must call pass_store_done(), which also releases the lock.
 */
int pass_store_open(struct pass_store *store, struct error *err) MUST_USE;
void pass_store_done(struct pass_store *store);

/*
 * Prepares for a change: sets the umask (PASSWORD_STORE_UMASK, else 077), creates the root if it is
 * missing, takes the lock of all our writers (on the root directory itself, so it leaves no file
 * behind), blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT until pass_store_done(), and removes what a
 * crashed writer left. 0 or negative.
 */
int pass_store_lock(struct pass_store *store, struct error *err) MUST_USE;

/*
 * Opens docker-credential-helpers below the locked root. With is_made, creates it if it is missing;
 * otherwise a missing directory is not a failure. 0 or negative.
 */
int pass_store_open_directory(struct pass_store *store, bool is_made, struct error *err) MUST_USE;

/*
 * The name of the temporary file in docker-credential-helpers, which no program takes for an entry.
 * Under the lock there is at most one, so an existing one was left by a crash. Without a lock a
 * random number is appended.
 */
#define PASS_TEMPORARY ".docker-credential-pass.tmp"

/*
 * Sets store->temporary: PASS_TEMPORARY, or with is_random that and a number that nobody can guess.
 */
void pass_store_name_temporary(struct pass_store *store, bool is_random);
