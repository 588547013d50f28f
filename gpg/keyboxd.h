#pragma once

#include "gpg/assuan.h"
#include "gpg/keybox.h"

/*
 * keyboxd keeps the public keys of GnuPG 2.4 and later if common.conf says use-keyboxd. We ask it
 * over its socket, as gpg does.
 */

/*
 * Receives the greeting. 0; -ETIMEDOUT after five seconds or the user's timeout; -EPROTO; -errno.
 */
int keyboxd_greet(struct assuan *keyboxd) MUST_USE;

/*
 * Finds the (sub)key with that id. 0 with *ret, which points into *ret_bytes (owned by the caller,
 * free with free()); -ENOENT; -ENOTUNIQ if several keys have the id; -ENOTSUP and -EBADMSG as in
 * keyblock_find(); -EPROTO; -EFBIG; -errno.
 */
int keyboxd_find(struct assuan *keyboxd, uint64_t key_id, struct keybox_entry *ret,
                 unsigned char **ret_bytes) MUST_USE;
