/*
 * Uploads. Bytes gather in a buffer; a full one becomes a part of a multipart upload. When the
 * upload is kept, what is left becomes the tail, in the state object if it is short, and the state
 * says how far all of it goes. Until then the bytes are in this process only.
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
#include "registry/storage/s3/multipart.h"
#include "registry/storage/s3/remover.h"
#include "registry/storage/s3/upload-private.h"
#include "registry/storage/s3/upload-table.h"

enum { TAIL_MAX = 1 << 30, FIRST_CAPACITY = 64 << 10, LOOK_MS = 50, NAME_SIZE = 48 };

static int64_t now_of(const struct s3_upload *upload)
{
    return storage_now(&upload->s3->storage);
}

/* --- the state ------------------------------------------------------------------------------- */

/* Free with free(). NULL if memory is out. */
static char *tail_key(const struct s3_upload *upload, const char *tail_name)
{
    char name[NAME_SIZE] = "tail-";

    memcpy(name + strlen("tail-"), tail_name, strlen(tail_name) + 1);
    return session_key(upload->key, name);
}

/* Best effort: what stays is removed with the rest of the upload. */
static void forget_tail(struct s3_upload *upload, const char *name)
{
    CLEANUP_FREE char *key = *name ? tail_key(upload, name) : NULL;

    if (key)
        (void)!remover_add(upload->s3->remover, key);
}

/* The state object names another tail now, or none. */
static void note_stored_tail(struct s3_upload *upload)
{
    if (strcmp(upload->stored_tail, upload->session.tail_name) == 0)
        return;
    forget_tail(upload, upload->stored_tail);
    memcpy(upload->stored_tail, upload->session.tail_name, sizeof(upload->stored_tail));
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
    r = session_write(upload->s3, upload->key, session, upload->buffer, err);
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

/* --- the buffer ------------------------------------------------------------------------------ */

/* A tail of another server, whose parts are larger, may fill more than a part. */
static size_t room_in_part(const struct s3_upload *upload)
{
    size_t size = upload->s3->options.part_size;

    return upload->count < size ? size - upload->count : 0;
}

static int make_room(struct s3_upload *upload, size_t size, struct error *err)
{
    size_t most = upload->s3->options.part_size;
    size_t capacity = upload->capacity ? upload->capacity : FIRST_CAPACITY;
    char *buffer;

    if (upload->count + size <= upload->capacity)
        return 0;
    while (capacity < upload->count + size)
        capacity *= 2;
    if (most < upload->count + size)
        most = upload->count + size;
    buffer = malloc(capacity < most ? capacity : most);
    if (!buffer)
        return error_set_oom(err);
    if (upload->count > 0)
        memcpy(buffer, upload->buffer, upload->count);
    free(upload->buffer);
    upload->buffer = buffer;
    upload->capacity = capacity < most ? capacity : most;
    return 0;
}

static int load_tail_object(struct s3_upload *upload, size_t wanted, struct error *err)
{
    CLEANUP_FREE char *key = tail_key(upload, upload->session.tail_name), *bytes = NULL;
    size_t size;
    int r;

    if (!key)
        return error_set_oom(err);
    r = storage_get(&upload->s3->storage, key, TAIL_MAX, STORAGE_MAY_WAIT, &bytes, &size, err);
    if (r < 0)
        return r;
    if (r > 0 || size != wanted)
        return error_set(err, EIO, "%s is incomplete", key);
    memcpy(upload->buffer, bytes, size);
    return 0;
}

/* Fills the buffer. inside: the bytes that were in the state object. */
static int load_tail(struct s3_upload *upload, const char *inside, struct error *err)
{
    size_t size = (size_t)upload->session.tail;
    int r;

    if (size == 0)
        return 0;
    if (upload->session.tail > TAIL_MAX)
        return error_set(err, EIO, "the tail of %s is too large", upload->key);
    r = make_room(upload, size, err);
    if (r == 0 && *upload->session.tail_name)
        r = load_tail_object(upload, size, err);
    else if (r == 0)
        memcpy(upload->buffer, inside, size);
    if (r == 0)
        upload->count = upload->kept = size;
    return r;
}

/* --- keeping --------------------------------------------------------------------------------- */

/* Puts the buffer beside the state, under a new name: the state decides which tail counts. */
static int put_tail(struct s3_upload *upload, char ret_name[RANDOM_UUID_SIZE], struct error *err)
{
    CLEANUP_FREE char *key = NULL;
    struct storage_step step = {
        .kind = STORAGE_PUT, .data = upload->buffer, .size = upload->count};

    random_uuid(ret_name);
    key = tail_key(upload, ret_name);
    step.key = key;
    return key ? s3_put(upload->s3, &step, err) : error_set_oom(err);
}

/* Writes the state with a tail that has all of the buffer. 0, STORAGE_CLAIM_LOST or negative. */
static int keep_buffer(struct s3_upload *upload, struct error *err)
{
    struct session *session = &upload->session;
    char before[RANDOM_UUID_SIZE], name[RANDOM_UUID_SIZE] = "";
    size_t kept = upload->kept;
    int r = upload->count > SESSION_INSIDE_MAX ? put_tail(upload, name, err) : 0;

    if (r < 0)
        return r;
    memcpy(before, session->tail_name, sizeof(before));
    memcpy(session->tail_name, name, sizeof(name));
    upload->kept = upload->count;
    r = write_state(upload, GIVES_CLAIM_BACK, err);
    if (r != 0) {
        forget_tail(upload, name);
        memcpy(session->tail_name, before, sizeof(before));
        upload->kept = kept;
    }
    return r;
}

int s3_upload_keep(struct storage_upload *base, struct error *err)
{
    struct s3_upload *upload = upload_of(base);

    if (upload->phase != UPLOAD_OPEN)
        return STORAGE_CLAIM_LOST;
    if (upload->count > upload->kept)
        return keep_buffer(upload, err);
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
    free(upload->buffer);
    free(upload->key);
    free(upload);
}

/* Claims the state that is in memory. 0, STORAGE_CLAIM_LOST or negative. */
static int claim_loaded(struct s3_upload *upload, const char *tail, struct error *err)
{
    bool is_inside = !*upload->session.tail_name;
    int r = is_inside ? load_tail(upload, tail, err) : 0;

    upload->kept = (size_t)upload->session.tail;
    memcpy(upload->stored_tail, upload->session.tail_name, sizeof(upload->stored_tail));
    if (r == 0)
        r = write_state(upload, CLAIMS, err);
    return r == 0 && !is_inside ? load_tail(upload, NULL, err) : r;
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
    int r = state ? upload_table_open(table, upload->key, &is_known, &upload->session, &tail)
                  : -ENOMEM;

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
    const struct s3_upload *upload = upload_of(base);

    (void)err;
    *ret = (struct storage_upload_state){.size = upload->session.base + upload->count};
    memcpy(ret->version.words, upload->session.stamp, RANDOM_UUID_SIZE);
    return 0;
}

/* Whether the state object must be written before bytes are taken. */
static bool needs_claim(const struct s3_upload *upload)
{
    if (!upload->is_claimed)
        return upload->session.is_stored;
    return upload->session.until_s - now_of(upload) <= S3_LEASE_S / 2 + S3_DRIFT_S;
}

/* A part that is full must be sent first; a lease that ends soon must be renewed. */
bool s3_upload_would_wait(const struct storage_upload *base, size_t size)
{
    const struct s3_upload *upload = (const struct s3_upload *)base;

    return upload->phase != UPLOAD_OPEN || upload->session.is_sealed ||
           size > room_in_part(upload) || needs_claim(upload);
}

int s3_upload_send_part(struct s3_upload *upload, struct error *err)
{
    struct session *session = &upload->session;
    char etag[S3_ETAG_SIZE + 2];
    bool is_first = !*session->id;
    int r = is_first ? multipart_start(upload->s3, upload->key, session->id, err) : 0;

    if (r == 0)
        r = is_first ? write_state(upload, CLAIMS, err) : s3_upload_claim(upload, err);
    if (r == 0)
        r = multipart_put(upload->s3, upload->key, session->id, session->parts + 1, upload->buffer,
                          upload->count, etag, err);
    if (r != 0)
        return r;
    session_add_part(session, etag, upload->count);
    upload->count = upload->kept = 0;
    return 0;
}

/* Takes all of data, or fails with the upload as it was: sent parts are only bytes of before. */
static int take_bytes(struct s3_upload *upload, const char *data, size_t size, struct error *err)
{
    size_t count = upload->count;
    uint64_t parts_end = upload->session.base;
    int r = 0;

    while (r == 0 && size > 0) {
        size_t n = room_in_part(upload);

        if (n == 0) {
            r = s3_upload_send_part(upload, err);
            continue;
        }
        n = n < size ? n : size;
        r = make_room(upload, n, err);
        if (r < 0)
            break;
        memcpy(upload->buffer + upload->count, data, n);
        upload->count += n;
        data += n;
        size -= n;
    }
    if (r != 0 && upload->session.base == parts_end)
        upload->count = count;
    return r;
}

int s3_upload_append(struct storage_upload *base, uint64_t offset, const void *data, size_t size,
                     struct error *err)
{
    struct s3_upload *upload = upload_of(base);
    int r = upload->phase != UPLOAD_OPEN ? STORAGE_CLAIM_LOST : 0;

    if (r == 0 && needs_claim(upload))
        r = s3_upload_claim(upload, err);
    if (r != 0)
        return r;
    if (offset != upload->session.base + upload->count)
        return STORAGE_WRONG_OFFSET;
    if (upload->session.is_sealed)
        return error_set(err, EIO, "%s was read again, and takes no more bytes", upload->key);
    r = take_bytes(upload, data, size, err);
    if (r == 0 && size > 0)
        random_uuid(upload->session.stamp);
    return r;
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
    struct s3_upload *upload = upload_of(base);
    int r = upload->phase == UPLOAD_OVER ? 0 : remove_session(upload, err);

    if (r == 0)
        upload->phase = UPLOAD_OVER;
    return r;
}

/* Gives the claim back. What cannot be kept was not acknowledged. */
void s3_upload_close(struct storage_upload *base)
{
    struct s3_upload *upload = upload_of(base);
    struct error ignored;
    int r = -ESTALE;

    if (upload->phase == UPLOAD_PUBLISHED)
        (void)!s3_upload_discard(base, &ignored);
    if (upload->phase == UPLOAD_OPEN)
        r = s3_upload_keep(base, &ignored);
    upload_table_close(upload->s3->uploads, upload->key, r == 0 ? &upload->session : NULL,
                       upload->buffer);
    upload_free(upload);
}
