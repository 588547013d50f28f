#pragma once

#include "common/error.h"
#include "gpg/context.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/* The recipients of an entry, and where they are named. */
struct pass_recipients {
    char *ids;    /* each followed by a newline; at least one */
    char *source; /* the .gpg-id file or "PASSWORD_STORE_KEY", for error texts */
};

/*
 * Finds the recipients of an entry: PASSWORD_STORE_KEY, else the .gpg-id file nearest to the entry,
 * from its own directory up to the root. The file must be signed if PASSWORD_STORE_SIGNING_KEY is
 * set; otherwise it must not be writable by everybody (EPERM). On success *ret is owned by the
 * caller (pass_recipients_done). 0 or negative.
 */
int pass_recipients_find(const struct pass_store *store, struct gpg_context *gpg,
                         const struct pass_path *path, struct pass_recipients *ret,
                         struct error *err) MUST_USE;
void pass_recipients_done(struct pass_recipients *recipients);
