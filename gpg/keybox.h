#pragma once

#include "gpg/public-key.h"

/* What a prompt needs to know about a key. It points into the keybox's bytes. */
struct keybox_entry {
    struct public_key key;
    uint64_t key_id;                             /* its own */
    unsigned char fingerprint[FINGERPRINT_SIZE]; /* as the keybox has it; not checked here */
    uint64_t primary_id;  /* the id of its primary key; its own id if it is a primary key */
    struct bytes user_id; /* the first; UTF-8 as a rule, but may be anything */
};

/*
 * Finds the (sub)key with that id in the bytes of a pubring.kbx (GnuPG, kbx/keybox-blob.c: "KBXf",
 * blobs of versions 1 and 2). 0; -ENOENT; -ENOTUNIQ if several keys have the id; -ENOTSUP for a key
 * that public_key_parse() does not support; -EBADMSG. Pure; looks at each blob once.
 */
int keybox_find(const unsigned char *data, size_t size, uint64_t key_id,
                struct keybox_entry *ret) MUST_USE;
