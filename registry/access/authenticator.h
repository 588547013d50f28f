#pragma once

#include <stdint.h>

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Authenticates the users of an htpasswd file, which is read again when it changes. Caches recently
 * verified passwords, so that bcrypt runs once for a password and not for each request.
 *
 * From any number of threads: look_up, verify, reload, get_counters.
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
     * Called with one line of text for what the operator should know: lines of the file that are of
     * no use (by number: never the line), a file that everybody can read, one that cannot be read
     * any more. On whichever thread reads the file, one at a time; may be NULL.
     */
    void (*warn)(void *context, const char *text);
    void *context;
};

/*
 * Reads the file. 0 with *ret owned by the caller (authenticator_close), or negative. A missing
 * file is an error, because nobody could log in; registry:2 creates a user then and writes the
 * password into its log. The options are copied, except that context is borrowed.
 */
int authenticator_open(const struct authenticator_options *options, struct authenticator **ret,
                       struct error *err) MUST_USE;

/* Call it after the last other call. Wipes the cache. Accepts NULL. */
void authenticator_close(struct authenticator *authenticator);

/*
 * Cheap, for event threads: whether the password was verified recently. AUTH_UNKNOWN if it was not,
 * or if the file has changed since: then call authenticator_verify() on a worker.
 */
enum auth_verdict authenticator_look_up(struct authenticator *authenticator,
                                        const struct secbuf *user, const struct secbuf *password);

/*
 * Slow, for worker threads: reads the file if it has changed, checks the cache again, and runs
 * bcrypt if necessary. A refusal takes the same work whether the user exists or not, and whatever
 * the cost of their hash is (up to a cost of 14). Only the first 72 bytes of the password count, as
 * always with bcrypt; one with a NUL never matches.
 */
enum auth_verdict authenticator_verify(struct authenticator *authenticator,
                                       const struct secbuf *user, const struct secbuf *password);

/*
 * A stamp of the password that a user has now: two are alike only if the password was not set again
 * in between, also on another server and after a restart. It tells nothing about the password, but
 * is not to be shown. False if there is no such user, or no password would do. For event threads.
 */
enum { AUTHENTICATOR_STAMP_SIZE = 64 }; /* bytes */
bool authenticator_find_stamp(struct authenticator *authenticator, const char *user,
                              unsigned char ret[AUTHENTICATOR_STAMP_SIZE]);

/* Whether the file is the one that was read, and reading it if not (which waits for the disk). */
bool authenticator_is_current(struct authenticator *authenticator);
void authenticator_refresh(struct authenticator *authenticator);

/*
 * Reads the file now, for SIGHUP. Returns 0, or negative: the previous users stay in force (and
 * warn() is not called for that).
 */
int authenticator_reload(struct authenticator *authenticator, struct error *err) MUST_USE;

/* Since the start. */
struct authenticator_counters {
    uint64_t granted;       /* by either call */
    uint64_t denied;        /* likewise */
    uint64_t cache_hits;    /* of the granted: remembered */
    uint64_t bcrypts;       /* runs of bcrypt */
    uint64_t bcrypt_rounds; /* their work: the sum of 2 to the power of each one's cost */
};

void authenticator_get_counters(const struct authenticator *authenticator,
                                struct authenticator_counters *ret);
