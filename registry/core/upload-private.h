#pragma once

#include "common/random.h"
#include "registry/core/store-private.h"
#include "registry/core/upload-hashes.h"

/* An upload session (registry/core/uploads.c), and how it is committed (upload-commit.c). */
struct upload {
    struct store *store;
    struct storage_upload *session; /* NULL: not open */
    char *name;
    char id[RANDOM_UUID_SIZE];
    uint64_t size;
    struct upload_hash hash; /* of all bytes; if it is empty, the bytes must be read again */
    char *block;             /* NULL if the upload is small, or if too many uploads have one */
    size_t held;             /* bytes in the block, neither in the session nor in size */
    bool is_large;           /* it has more bytes than one block */
    bool is_over;            /* committed or cancelled */
};

/* Removes the session from the storage. 0 or negative. */
int upload_remove_session(const struct upload *upload, struct error *err);
