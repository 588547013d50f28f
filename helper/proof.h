#pragma once

#include <stdint.h>

#include "gpg/context.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/*
 * Proves that a login would work by doing what a login does: it encrypts a text to exactly the
 * recipients of docker's next entry, decrypts it again as `get` does, and creates a file where the
 * entry would go. It leaves nothing behind. `setup` and `doctor` judge by this; all other checks
 * only explain a failure.
 */
enum proof_result {
    PROOF_NOT_TRIED, /* an earlier step failed; err says which */
    PROOF_PASSED,
    PROOF_FAILED, /* err says why; its code is an errno or one of gpg/failure.h */
    /* not tried: the key needs its passphrase or its card, and asking is not allowed */
    PROOF_LOCKED,
};

struct proof_step {
    enum proof_result result;
    struct error err; /* meaningful unless the step has passed */
};

struct proof {
    struct proof_step encrypt; /* for the recipients of docker's next entry */
    struct proof_step decrypt; /* what was encrypted */
    struct proof_step write;   /* a file where the entry would go */
    uint64_t decrypt_us;       /* how long decrypting took; 0 if it was not tried */
    /* why gpg decrypted and not the fast path; code 0 if the fast path did */
    struct error why_by_gpg;
};

/* Runs all steps. mode is GPG_PINENTRY_ERROR if nobody may be asked for a passphrase. */
void proof_run(enum gpg_pinentry_mode mode, struct proof *ret);

/*
 * 0 if no step has failed (one may be PROOF_LOCKED); else negative, with err of the first step that
 * failed.
 */
int proof_check(const struct proof *proof, struct error *err) MUST_USE;

/*
 * Encrypts a text to a key and decrypts it again: gpg does not list the secret keys of another
 * machine, which are behind a forwarded agent. May ask for its passphrase. 0 or negative.
 */
int proof_try_key(struct gpg_context *gpg, const char *fingerprint, struct error *err) MUST_USE;

/* Decrypts the first entry of a server as `get` does; not tried if it has none. */
void proof_read_entry(struct pass_store *store, const struct pass_path *path,
                      enum gpg_pinentry_mode mode, struct proof_step *ret);

/*
 * Creates a file and removes it again, in the directory of path's server, or where that directory
 * would be created. Locks the store meanwhile, as a login does.
 */
void proof_write(const struct pass_path *path, struct proof_step *ret);
