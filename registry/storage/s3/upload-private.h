#pragma once

#include "registry/storage/s3/session.h"
#include "registry/storage/s3/upload-budget.h"

/*
 * An upload that is open (upload.c), where its bytes are (upload-bytes.c, upload-pieces.c), and how
 * it becomes an object (publish.c).
 */

/* An object that has bytes of an upload. */
struct upload_piece {
    char name[RANDOM_UUID_SIZE]; /* of the object "tail-<name>" */
    size_t size;
};

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
    bool is_claimed;             /* the state object says so, until session.until_s */
    struct upload_piece *pieces; /* have the bytes after the parts, */
    size_t piece_count, piece_bytes;
    char *buffer; /* and this the bytes after the pieces */
    size_t count, capacity;
    struct upload_grant grant; /* for a buffer of more than UPLOAD_SMALL_MAX bytes */
    bool is_slow;              /* others waited for memory that it held for long */
    size_t kept;               /* of the bytes after the parts, in the tail */
    char *inside; /* these, if they are in the state object and not in the buffer; or NULL */
    char stored_tail[RANDOM_UUID_SIZE]; /* the tail_name of the state object */
    bool is_complete;                   /* the parts are an object now, at the key of the upload */
    struct storage_reader *reader;      /* of the sealed parts; NULL until they are read */
};

/*
 * For a function of the contract: CLEANUP(s3_upload_unusep) struct s3_upload *upload =
 * s3_upload_use(base). Meanwhile its memory is not taken back.
 */
static inline struct s3_upload *s3_upload_use(struct storage_upload *base)
{
    struct s3_upload *upload = (struct s3_upload *)base;

    upload_budget_use(upload->s3->budget, &upload->grant);
    return upload;
}

static inline void s3_upload_unusep(struct s3_upload *const *upload)
{
    upload_budget_unuse((*upload)->s3->budget, &(*upload)->grant);
}

/* Uploads hold that many bytes without asking the budget. Part of what one request brings at once
 * may come on top. */
enum { UPLOAD_SMALL_MAX = SESSION_INSIDE_MAX };

/* The bytes after the parts. */
static inline size_t upload_rest(const struct s3_upload *upload)
{
    return upload->piece_bytes + upload->count;
}

/*
 * Makes sure that the claim holds for a while: takes it if it was given back, and renews it. 0,
 * STORAGE_CLAIM_LOST or negative.
 */
int s3_upload_claim(struct s3_upload *upload, struct error *err) MUST_USE;

/* Whether the state object must be written before bytes are taken. */
bool s3_upload_needs_claim(const struct s3_upload *upload);

/* --- upload-bytes.c -------------------------------------------------------------------------- */

/*
 * Asks the budget for that many bytes, for the owner of the upload. 0; STORAGE_WOULD_WAIT if others
 * have them, unless it may wait; or negative.
 */
int s3_upload_ask(struct s3_upload *upload, size_t size, enum storage_waiting waiting,
                  struct error *err) MUST_USE;

/* Grows the buffer for that many more bytes. 0 or -ENOMEM with err. */
int s3_upload_grow(struct s3_upload *upload, size_t size, struct error *err) MUST_USE;

/* The budget's function: gives up memory that the client does not fill. */
upload_take_back s3_upload_take_back;

/* Frees the buffer, whose bytes are elsewhere, and gives its memory back. */
void s3_upload_drop_buffer(struct s3_upload *upload);

/* Makes bytes of the buffer a part, as many as a part has. 0, STORAGE_CLAIM_LOST or negative. */
int s3_upload_send_part(struct s3_upload *upload, struct error *err) MUST_USE;

/* Writes the state, with the claim. 0, STORAGE_CLAIM_LOST or negative. */
int s3_upload_note(struct s3_upload *upload, struct error *err) MUST_USE;

/* --- upload-pieces.c ------------------------------------------------------------------------- */

/* The key of "tail-<name>". Free with free(). NULL if memory is out. */
char *s3_upload_tail_key(const struct s3_upload *upload, const char *name);

/* Puts the buffer beside the state, under a new name. 0 or negative. */
int s3_upload_put_tail(struct s3_upload *upload, char ret_name[RANDOM_UUID_SIZE],
                       struct error *err) MUST_USE;

/* Removes a tail later, unless name is "". Best effort: what stays is removed with the upload. */
void s3_upload_forget_tail(struct s3_upload *upload, const char *name);

/* Notes that an object has the next bytes. 0 or -ENOMEM with err. */
int s3_upload_add_piece(struct s3_upload *upload, const char *name, size_t size,
                        struct error *err) MUST_USE;

/* Forgets the pieces, whose bytes are elsewhere or not needed. */
void s3_upload_forget_pieces(struct s3_upload *upload);

/* Empties the buffer into a piece. 0 or negative. */
int s3_upload_spill(struct s3_upload *upload, struct error *err) MUST_USE;

/*
 * Brings all bytes after the parts into the buffer. STORAGE_WOULD_WAIT if others have the memory,
 * unless it may wait for them. 0 or negative.
 */
int s3_upload_gather(struct s3_upload *upload, enum storage_waiting waiting,
                     struct error *err) MUST_USE;
