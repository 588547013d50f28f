/*
 * Uploads. Bytes become parts of a multipart upload (upload-bytes.c). When the upload is kept, what
 * is left becomes the tail, in the state object if it is short, and the state says how far all of
 * it goes. Until then only this process knows the bytes.
 *
 * A new upload has no state object before it is kept: only this process knows it. Keeping also
 * gives the claim back, and the next use takes it again by compare-and-swap. So an upload of one
 * request needs no state at all, and a short one a write for each request.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "registry/storage/s3/remover.h"
#include "registry/storage/s3/upload-private.h"
#include "registry/storage/s3/upload-table.h"

enum { TAIL_MAX = 1 << 30, LOOK_MS = 50 };

static int64_t now_of(const struct s3_upload *upload)
{
    return storage_now(&upload->s3->storage);
}

/* --- the state ------------------------------------------------------------------------------- */

/* The state object names another tail now, or none. */
static void note_stored_tail(struct s3_upload *upload)
{
    if (strcmp(upload->stored_tail, upload->session.tail_name) == 0)
        return;
    s3_upload_forget_tail(upload, upload->stored_tail);
    memcpy(upload->stored_tail, upload->session.tail_name, sizeof(upload->stored_tail));
}

/* Those of the tail, if it is in the state object. */
static const char *inside_bytes(const struct s3_upload *upload)
{
    return upload->inside ? upload->inside : upload->buffer;
}

enum claiming { GIVES_CLAIM_BACK, CLAIMS };

/* Writes the state as it is now, with the bytes of the tail. 0, STORAGE_CLAIM_LOST or negative. */
static int write_state(struct s3_upload *upload, enum claiming claiming, struct error *err)
{
    struct session *session = &upload->session;
    int r;

    session->tail = upload->kept;
    session->until_s = claiming == CLAIMS ? now_of(upload) + S3_LEASE_S : 0;
    memcpy(session->holder, claiming == CLAIMS ? upload->me : "",
           claiming == CLAIMS ? sizeof(upload->me) : 1);
    r = session_write(upload->s3, upload->key, session, inside_bytes(upload), err);
    upload->is_claimed = r == 0 && claiming == CLAIMS;
    if (r == 0)
        note_stored_tail(upload);
    return r == STORAGE_CONFLICT ? STORAGE_CLAIM_LOST : r;
}

int s3_upload_note(struct s3_upload *upload, struct error *err)
{
    return write_state(upload, CLAIMS, err);
}

int s3_upload_claim(struct s3_upload *upload, struct error *err)
{
    if (upload->phase != UPLOAD_OPEN)
        return STORAGE_CLAIM_LOST;
    if (upload->is_claimed && upload->session.until_s - now_of(upload) > S3_LEASE_S / 2)
        return 0;
    return write_state(upload, CLAIMS, err);
}

/* --- keeping --------------------------------------------------------------------------------- */

/* Writes the state with a tail that has all of the buffer. 0, STORAGE_CLAIM_LOST or negative. */
static int keep_buffer(struct s3_upload *upload, struct error *err)
{
    struct session *session = &upload->session;
    char before[RANDOM_UUID_SIZE], name[RANDOM_UUID_SIZE] = "";
    size_t kept = upload->kept;
    int r = upload->count > SESSION_INSIDE_MAX ? s3_upload_put_tail(upload, name, err) : 0;

    if (r < 0)
        return r;
    memcpy(before, session->tail_name, sizeof(before));
    memcpy(session->tail_name, name, sizeof(name));
    upload->kept = upload->count;
    r = write_state(upload, GIVES_CLAIM_BACK, err);
    if (r != 0) {
        s3_upload_forget_tail(upload, name);
        memcpy(session->tail_name, before, sizeof(before));
        upload->kept = kept;
    }
    return r;
}

int s3_upload_keep(struct storage_upload *base, struct error *err)
{
    CLEANUP(s3_upload_unusep) struct s3_upload *upload = s3_upload_use(base);
    int r;

    if (upload->phase != UPLOAD_OPEN)
        return STORAGE_CLAIM_LOST;
    if (upload_rest(upload) > upload->kept) {
        r = s3_upload_gather(upload, STORAGE_MAY_WAIT, err);
        return r == 0 ? keep_buffer(upload, err) : r;
    }
    if (upload->session.is_stored && !upload->is_claimed)
        return 0;
    return write_state(upload, GIVES_CLAIM_BACK, err);
}

/* --- opening --------------------------------------------------------------------------------- */

static int upload_new(struct s3 *s3, const char *key, struct s3_upload **ret)
{
    struct s3_upload *upload = calloc(1, sizeof(*upload));

    if (!upload)
        return -ENOMEM;
    upload->upload.functions = s3->storage.functions;
    upload->s3 = s3;
    upload->key = strdup(key);
    random_uuid(upload->me);
    random_uuid(upload->session.stamp);
    upload->session.started_s = storage_now(&s3->storage);
    if (!upload->key) {
        free(upload);
        return -ENOMEM;
    }
    *ret = upload;
    return 0;
}

static void upload_free(struct s3_upload *upload)
{
    storage_reader_close(upload->reader);
    s3_upload_drop_buffer(upload);
    free(upload->pieces);
    free(upload->inside);
    free(upload->key);
    free(upload);
}

/* Notes where the bytes of the tail are. inside: those in the state object. */
static int note_tail(struct s3_upload *upload, const char *inside, struct error *err)
{
    const struct session *session = &upload->session;
    size_t size = (size_t)session->tail;
    int r;

    upload->count = upload->kept = upload->piece_count = upload->piece_bytes = 0;
    memcpy(upload->stored_tail, session->tail_name, sizeof(upload->stored_tail));
    if (size == 0)
        return 0;
    if (session->tail > TAIL_MAX)
        return error_set(err, EIO, "the tail of %s is too large", upload->key);
    r = *session->tail_name ? s3_upload_add_piece(upload, session->tail_name, size, err)
                            : s3_upload_grow(upload, size, err);
    if (r < 0)
        return r;
    if (!*session->tail_name) {
        memcpy(upload->buffer, inside, size);
        upload->count = size;
    }
    upload->kept = size;
    return 0;
}

/* Claims the state that is in memory. 0, STORAGE_CLAIM_LOST or negative. */
static int claim_loaded(struct s3_upload *upload, const char *tail, struct error *err)
{
    int r = note_tail(upload, tail, err);

    return r == 0 ? write_state(upload, CLAIMS, err) : r;
}

/* Reads the state and claims it. 0, STORAGE_WOULD_WAIT if somebody holds it, STORAGE_CLAIM_LOST if
 * somebody was faster, STORAGE_NOT_FOUND or negative. */
static int read_and_claim(struct s3_upload *upload, struct error *err)
{
    CLEANUP_FREE char *tail = NULL;
    struct session *session = &upload->session;
    int r = session_read(upload->s3, upload->key, session, &tail, err);

    if (r != 0)
        return r;
    if (*session->holder && session->until_s + S3_DRIFT_S > now_of(upload))
        return STORAGE_WOULD_WAIT;
    return claim_loaded(upload, tail, err);
}

/* The same for an upload that is in the table, unless another server has continued it. */
static int claim_known(struct s3_upload *upload, const char *tail, struct error *err)
{
    int r = claim_loaded(upload, tail, err);

    return r == STORAGE_CLAIM_LOST ? read_and_claim(upload, err) : r;
}

/* One try. Outcomes as of read_and_claim(). */
static int try_to_open(struct s3_upload *upload, struct error *err)
{
    struct upload_table *table = upload->s3->uploads;
    CLEANUP_FREE char *state = session_key(upload->key, "state"), *tail = NULL;
    bool is_known = false;
    int r =
        state ? upload_table_open(table, upload->key, &is_known, &upload->session, &tail) : -ENOMEM;

    if (r != 0)
        return r < 0 ? error_set_oom(err) : r;
    if (remover_has(upload->s3->remover, state))
        r = STORAGE_NOT_FOUND;
    else
        r = is_known ? claim_known(upload, tail, err) : read_and_claim(upload, err);
    if (r != 0)
        upload_table_close(table, upload->key, NULL, NULL);
    return r;
}

static int open_existing(struct s3_upload *upload, unsigned patience_ms, struct error *err)
{
    int64_t end_ms = monotonic_ms() + patience_ms;

    for (;;) {
        int r = try_to_open(upload, err);

        if (r != STORAGE_WOULD_WAIT && r != STORAGE_CLAIM_LOST)
            return r;
        if (monotonic_ms() >= end_ms)
            return STORAGE_WOULD_WAIT;
        usleep(LOOK_MS * 1000);
    }
}

/* Nobody else knows the upload before it is kept. */
static int open_new(struct s3_upload *upload, struct error *err)
{
    CLEANUP_FREE char *tail = NULL;
    bool is_known = false;
    int r = upload_table_open(upload->s3->uploads, upload->key, &is_known, &upload->session, &tail);

    if (r == 0 && is_known)
        upload_table_close(upload->s3->uploads, upload->key, &upload->session, tail);
    if (r < 0)
        return error_set_oom(err);
    return r > 0 || is_known ? STORAGE_CONFLICT : 0;
}

int s3_upload_open(struct storage *storage, const char *key, enum storage_upload_mode mode,
                   unsigned patience_ms, struct storage_upload **ret, struct error *err)
{
    struct s3_upload *upload;
    int r;

    if (upload_new((struct s3 *)storage, key, &upload) < 0)
        return error_set_oom(err);
    r = mode == STORAGE_UPLOAD_NEW ? open_new(upload, err)
                                   : open_existing(upload, patience_ms, err);
    if (r != 0) {
        upload_free(upload);
        return r;
    }
    *ret = &upload->upload;
    return 0;
}

int s3_upload_head(struct storage *storage, const char *key, uint64_t *ret_size,
                   int64_t *ret_started_s, struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    CLEANUP_FREE char *state = session_key(key, "state"), *tail = NULL;
    struct session session;
    int r;

    if (!state)
        return error_set_oom(err);
    if (remover_has(s3->remover, state))
        return STORAGE_NOT_FOUND;
    r = session_read(s3, key, &session, &tail, err);
    if (r != 0)
        return r;
    *ret_size = session.base + session.tail;
    *ret_started_s = session.started_s;
    return 0;
}

/* --- the functions of an upload -------------------------------------------------------------- */

int s3_upload_get_state(struct storage_upload *base, struct storage_upload_state *ret,
                        struct error *err)
{
    CLEANUP(s3_upload_unusep) struct s3_upload *upload = s3_upload_use(base);

    (void)err;
    *ret = (struct storage_upload_state){.size = upload->session.base + upload_rest(upload)};
    memcpy(ret->version.words, upload->session.stamp, RANDOM_UUID_SIZE);
    return 0;
}

bool s3_upload_needs_claim(const struct s3_upload *upload)
{
    if (!upload->is_claimed)
        return upload->session.is_stored;
    return upload->session.until_s - now_of(upload) <= S3_LEASE_S / 2 + S3_DRIFT_S;
}

/* After it was published, the state object alone can be removed later. */
static int remove_session(struct s3_upload *upload, struct error *err)
{
    CLEANUP_FREE char *state = session_key(upload->key, "state");

    if (upload->phase == UPLOAD_PUBLISHED && session_is_single(&upload->session)) {
        if (!upload->session.is_stored)
            return 0;
        if (state && remover_add(upload->s3->remover, state) == 0)
            return 0;
    }
    return session_remove(upload->s3, upload->key, &upload->session, err);
}

int s3_upload_discard(struct storage_upload *base, struct error *err)
{
    CLEANUP(s3_upload_unusep) struct s3_upload *upload = s3_upload_use(base);
    int r = upload->phase == UPLOAD_OVER ? 0 : remove_session(upload, err);

    if (r == 0)
        upload->phase = UPLOAD_OVER;
    return r;
}

/*
 * Keeps what it can without waiting for others, and gives the claim back. What cannot be kept was
 * not acknowledged. 0, STORAGE_CLAIM_LOST or negative.
 */
static int keep_at_end(struct s3_upload *upload)
{
    struct error ignored;
    int r = upload_rest(upload) > upload->kept
                ? s3_upload_gather(upload, STORAGE_MUST_NOT_WAIT, &ignored)
                : 0;

    if (r == 0)
        return s3_upload_keep(&upload->upload, &ignored);
    random_uuid(upload->session.stamp); /* its last bytes are lost */
    return write_state(upload, GIVES_CLAIM_BACK, &ignored);
}

void s3_upload_close(struct storage_upload *base)
{
    struct s3_upload *upload = s3_upload_use(base);
    struct error ignored;
    int r = -ESTALE;

    if (upload->phase == UPLOAD_PUBLISHED)
        (void)!s3_upload_discard(base, &ignored);
    if (upload->phase == UPLOAD_OPEN)
        r = keep_at_end(upload);
    s3_upload_forget_pieces(upload);
    upload_table_close(upload->s3->uploads, upload->key, r == 0 ? &upload->session : NULL,
                       inside_bytes(upload));
    upload_free(upload);
}
