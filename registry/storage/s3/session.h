#pragma once

#include "common/random.h"
#include "registry/storage/s3/s3-private.h"

/*
 * The state of an upload: an object beside its bytes, which its holder changes by compare-and-swap.
 * One thread at a time.
 */

enum { S3_UPLOAD_ID_MAX = 1024, S3_LEASE_S = 30, S3_DRIFT_S = 2 };

struct session {
    char id[S3_UPLOAD_ID_MAX + 1];  /* of the multipart upload; "" before the first part */
    unsigned parts;                 /* that count; others were never acknowledged */
    uint64_t base;                  /* bytes in them */
    uint64_t tail;                  /* bytes in the object "tail-<base>" */
    char stamp[RANDOM_UUID_SIZE];   /* changes with the bytes */
    char holder[RANDOM_UUID_SIZE];  /* "": nobody */
    int64_t until_s;                /* of the holder's lease, by the store's clock */
    bool is_sealed;                 /* the parts are an object now */
    struct storage_version version; /* of the state object */
};

/* Reads the state of the upload at key. 0, STORAGE_NOT_FOUND or negative. */
int session_read(struct s3 *s3, const char *key, struct session *ret, struct error *err);

/* Writes it over the version that it has, or as a new object. 0, STORAGE_CONFLICT or negative. */
int session_write(struct s3 *s3, const char *key, struct session *session, bool is_new,
                  struct error *err);

/* Removes the state, and then all that lies beside it with the upload. 0 or negative. */
int session_remove(struct s3 *s3, const char *key, const struct session *session,
                   struct error *err);

/* The key of an object beside the upload at key. Free with free(); NULL if memory is out. */
char *session_key(const char *key, const char *name);
