#pragma once

#include "common/digest.h"
#include "common/random.h"
#include "registry/storage/s3/s3-private.h"

/*
 * The state of an upload: an object beside its bytes, which its holder changes by compare-and-swap.
 * One thread at a time.
 */

enum {
    S3_UPLOAD_ID_MAX = 1024,
    S3_LEASE_S = 30,
    S3_DRIFT_S = 2,
    SESSION_CHAIN_SIZE = 65, /* 64 hexadecimal digits and a NUL */
    SESSION_INSIDE_MAX = 64 << 10, /* a tail of up to that many bytes is in the state object */
};

struct session {
    char id[S3_UPLOAD_ID_MAX + 1];  /* of the multipart upload; "" before the first part */
    unsigned parts;                 /* that count; others were never acknowledged */
    uint64_t base;                  /* bytes in them */
    char chain[SESSION_CHAIN_SIZE]; /* a digest of their ETags, see session_add_part() */
    uint64_t tail;                  /* bytes after them, in the state object or beside it */
    char tail_name[RANDOM_UUID_SIZE]; /* of the object "tail-<name>"; "": in the state object */
    char stamp[RANDOM_UUID_SIZE];   /* changes with the bytes */
    char holder[RANDOM_UUID_SIZE];  /* "": nobody */
    int64_t until_s;                /* of the holder's lease, by the store's clock */
    int64_t started_s;              /* since 1970, by the store's clock */
    bool is_sealed;                 /* the parts are being made an object, or are one */
    bool is_stored;                 /* there is a state object, of this version: */
    struct storage_version version;
};

/*
 * Reads the state of the upload at key. *ret_tail, free with free(), has the bytes of a tail in the
 * state object. 0, STORAGE_NOT_FOUND or negative.
 */
int session_read(struct s3 *s3, const char *key, struct session *ret, char **ret_tail,
                 struct error *err);

/*
 * Writes it over the version that it has, or as a new object, with the tail's bytes if these are in
 * the state object. 0, STORAGE_CONFLICT or negative.
 */
int session_write(struct s3 *s3, const char *key, struct session *session, const char *tail,
                  struct error *err);

/* Notes the ETag of the next part, of that many bytes. */
void session_add_part(struct session *session, const char *etag, uint64_t size);

/* Adds an ETag to a chain: two lists of parts have the same chain only if they are the same. */
void session_chain(char chain[SESSION_CHAIN_SIZE], const char *etag);

/* Whether the state object is all that there is of the upload. */
bool session_is_single(const struct session *session);

/*
 * Removes all that belongs to the upload: its multipart upload, and then its objects. 0 or
 * negative.
 */
int session_remove(struct s3 *s3, const char *key, const struct session *session,
                   struct error *err);

/* The key of an object beside the upload at key. Free with free(); NULL if memory is out. */
char *session_key(const char *key, const char *name);
