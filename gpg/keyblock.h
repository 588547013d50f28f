#pragma once

#include "gpg/keybox.h"

/*
 * Finds the (sub)key with that id in a keyblock: the packets of one OpenPGP key, as keyboxd returns
 * and `gpg --export` writes them. Computes the fingerprint of *ret, which points into data. 0;
 * -ENOENT; -ENOTUNIQ if two keys have the id; -ENOTSUP for a key that public_key_parse() does not
 * support; -EBADMSG if data is not the packets of one key. Pure.
 */
int keyblock_find(const unsigned char *data, size_t size, uint64_t key_id,
                  struct keybox_entry *ret) MUST_USE;
