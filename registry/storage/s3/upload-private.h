#pragma once

#include "registry/storage/s3/session.h"

/* An upload that is open (upload.c), and how it becomes an object (publish.c). */

enum upload_phase {
    UPLOAD_OPEN,
    UPLOAD_PUBLISHED, /* what is left of it is still to be removed */
    UPLOAD_OVER,
};

struct s3_upload {
    struct storage_upload upload;
    struct s3 *s3;
    char *key;
    enum upload_phase phase;
    struct session session; /* of the state object; base and parts grow before it is written */
    char me[RANDOM_UUID_SIZE];
    bool is_claimed; /* the state object says so, until session.until_s */
    char *buffer;    /* the bytes after the parts */
    size_t count, capacity;
    size_t kept;                   /* of them, in the tail */
    char stored_tail[RANDOM_UUID_SIZE]; /* the tail_name of the state object */
    bool is_complete;              /* the parts are an object now, at the key of the upload */
    struct storage_reader *reader; /* of the sealed parts; NULL until they are read */
};

static inline struct s3_upload *upload_of(struct storage_upload *upload)
{
    return (struct s3_upload *)upload;
}

/*
 * Makes sure that the claim holds for a while: takes it if it was given back, and renews it. 0,
 * STORAGE_CLAIM_LOST or negative.
 */
int s3_upload_claim(struct s3_upload *upload, struct error *err) MUST_USE;

/* Makes the buffer a part. 0, STORAGE_CLAIM_LOST or negative. */
int s3_upload_send_part(struct s3_upload *upload, struct error *err) MUST_USE;

/* Writes the state, with the claim. 0, STORAGE_CLAIM_LOST or negative. */
int s3_upload_note(struct s3_upload *upload, struct error *err) MUST_USE;
