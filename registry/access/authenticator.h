#pragma once

#include <stdint.h>

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Authenticates the users of an htpasswd file, which is read again when it changes. Caches recently
 * verified passwords, so that bcrypt runs once for each password and not for each request.
 *
 * Any thread may call all functions except authenticator_open() and authenticator_close().
 */
struct authenticator;

enum auth_verdict {
    AUTH_GRANTED,
    AUTH_DENIED,
    AUTH_UNKNOWN, /* look_up: call verify. verify: out of memory */
};

struct authenticator_options {
    const char *path; /* the htpasswd file */

    /* How long a verified password is cached; 0: the default, 5 minutes. */
    uint64_t remember_ms;
    /* How many are cached; the least recently used one is replaced. 0: the default, 4096. */
    unsigned remember_max;

    /*
     * Called with one line of text for the operator: about lines of the file that cannot be used
     * (their numbers, never their text), a file that everybody can read, or one that can no longer
     * be read. Called by the thread that reads the file, one call at a time. May be NULL.
     */
    void (*warn)(void *context, const char *text);
    void *context;
};

/*
 * Reads the file. 0 with *ret owned by the caller (authenticator_close), or negative. A missing
 * file is an error, because nobody could log in. (registry:2 would create a user and write the
 * password to its log.) The options are copied; context is borrowed.
 */
int authenticator_open(const struct authenticator_options *options, struct authenticator **ret,
                       struct error *err) MUST_USE;

/* Wipes the cache. No other call may be in progress. Accepts NULL. */
void authenticator_close(struct authenticator *authenticator);

/*
 * Cheap, for event threads: checks whether the password was verified recently. Returns AUTH_UNKNOWN
 * if it was not, or if the file has changed since; then call authenticator_verify() on a worker.
 */
enum auth_verdict authenticator_look_up(struct authenticator *authenticator,
                                        const struct secbuf *user, const struct secbuf *password);

/*
 * Slow, for worker threads: reads the file if it has changed, checks the cache again, and runs
 * bcrypt if necessary. A refusal takes the same work whether the user exists or not, and for each
 * cost of the user's hash up to 14. Like all of bcrypt, it uses only the first 72 bytes of the
 * password. A password with a NUL never matches.
 */
enum auth_verdict authenticator_verify(struct authenticator *authenticator,
                                       const struct secbuf *user, const struct secbuf *password);

/*
 * Finds a stamp of the user's current password. The stamp changes when the password is set again,
 * and it is the same on other servers and after a restart. It reveals nothing about the password,
 * but must not be shown. Returns false if there is no such user or the user cannot log in. For
 * event threads.
 */
enum { AUTHENTICATOR_STAMP_SIZE = 64 }; /* bytes */
bool authenticator_find_stamp(struct authenticator *authenticator, const char *user,
                              unsigned char ret[AUTHENTICATOR_STAMP_SIZE]);

/*
 * Whether the file is unchanged since it was read; and reading it if it has changed, which waits
 * for the disk.
 */
bool authenticator_is_current(struct authenticator *authenticator);
void authenticator_refresh(struct authenticator *authenticator);

/*
 * Reads the file now, for SIGHUP. Returns 0, or negative; then the previous users stay in force.
 * Does not call warn() for a failure.
 */
int authenticator_reload(struct authenticator *authenticator, struct error *err) MUST_USE;

/* Counts since the start. */
struct authenticator_counters {
    uint64_t granted;       /* by look_up and verify */
    uint64_t denied;        /* by look_up and verify */
    uint64_t cache_hits;    /* granted because the password was in the cache */
    uint64_t bcrypts;       /* runs of bcrypt */
    uint64_t bcrypt_rounds; /* the sum of 2^cost of these runs */
};

void authenticator_get_counters(const struct authenticator *authenticator,
                                struct authenticator_counters *ret);
