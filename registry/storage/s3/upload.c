/*
 * Uploads. Bytes gather in a buffer; a full one becomes a part of a multipart upload. When the
 * upload is closed, what is left becomes an object beside it, the tail, and the state says how far
 * all of it goes. Until then the bytes are in this process only.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "registry/storage/s3/multipart.h"
#include "registry/storage/s3/session.h"

enum { TAIL_MAX = 1 << 30, FIRST_CAPACITY = 64 << 10, LOOK_MS = 50, NAME_SIZE = 32 };

struct s3_upload {
    struct storage_upload upload;
    struct s3 *s3;
    char *key;
    struct session session; /* of the state object; base and parts grow before it is written */
    char me[RANDOM_UUID_SIZE];
    char *buffer; /* the bytes after the parts */
    size_t count, capacity;
    size_t kept;  /* of them, in the tail object */
    bool is_over; /* published or discarded */
    struct storage_reader *reader; /* of the sealed parts; NULL until they are read */
};

static struct s3_upload *upload_of(struct storage_upload *upload)
{
    return (struct s3_upload *)upload;
}

static int64_t now_of(struct s3_upload *upload)
{
    return storage_now(&upload->s3->storage);
}

/* --- the claim ------------------------------------------------------------------------------- */

static int write_session(struct s3_upload *upload, bool is_new, struct error *err)
{
    upload->session.until_s = now_of(upload) + S3_LEASE_S;
    memcpy(upload->session.holder, upload->me, sizeof(upload->me));
    return session_write(upload->s3, upload->key, &upload->session, is_new, err);
}

/* Makes sure that the claim holds for a while. 0, STORAGE_CLAIM_LOST or negative. */
static int renew(struct s3_upload *upload, struct error *err)
{
    struct session on_disk;
    int r;

    if (upload->is_over)
        return STORAGE_CLAIM_LOST;
    if (upload->session.until_s - now_of(upload) > S3_LEASE_S / 2)
        return 0;
    /* The parts since the last state count once they are kept, not by a renewal. */
    r = session_read(upload->s3, upload->key, &on_disk, err);
    if (r != 0)
        return r < 0 ? r : STORAGE_CLAIM_LOST;
    if (strcmp(on_disk.holder, upload->me) != 0)
        return STORAGE_CLAIM_LOST;
    on_disk.until_s = now_of(upload) + S3_LEASE_S;
    r = session_write(upload->s3, upload->key, &on_disk, false, err);
    if (r != 0)
        return r < 0 ? r : STORAGE_CLAIM_LOST;
    upload->session.until_s = on_disk.until_s;
    upload->session.version = on_disk.version;
    return 0;
}

/* Claims the state that was read. 0, STORAGE_WOULD_WAIT if somebody holds it, STORAGE_CONFLICT or
 * negative. */
static int take_over(struct s3_upload *upload, struct error *err)
{
    if (*upload->session.holder && upload->session.until_s + S3_DRIFT_S > now_of(upload))
        return STORAGE_WOULD_WAIT;
    return write_session(upload, false, err);
}

static int claim_existing(struct s3_upload *upload, unsigned patience_ms, struct error *err)
{
    int64_t end_ms = monotonic_ms() + patience_ms;

    for (;;) {
        int r = session_read(upload->s3, upload->key, &upload->session, err);

        if (r == 0)
            r = take_over(upload, err);
        if (r != STORAGE_WOULD_WAIT && r != STORAGE_CONFLICT)
            return r;
        if (monotonic_ms() >= end_ms)
            return STORAGE_WOULD_WAIT;
        usleep(LOOK_MS * 1000);
    }
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

static char *tail_key(const struct s3_upload *upload)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "tail-%020" PRIu64, upload->session.base);
    return session_key(upload->key, name);
}

/* The tail may be longer than the state says, after a crash: the rest was never acknowledged. */
static int load_tail(struct s3_upload *upload, struct error *err)
{
    CLEANUP_FREE char *key = tail_key(upload), *bytes = NULL;
    size_t size, wanted = (size_t)upload->session.tail;
    int r;

    if (wanted == 0)
        return 0;
    if (!key)
        return error_set_oom(err);
    r = wanted <= TAIL_MAX ? make_room(upload, wanted, err) : STORAGE_NOT_FOUND;
    if (r == 0)
        r = storage_get(&upload->s3->storage, key, TAIL_MAX, STORAGE_MAY_WAIT, &bytes, &size, err);
    if (r < 0)
        return r;
    if (r > 0 || size < wanted)
        return error_set(err, EIO, "%s is incomplete", key);
    memcpy(upload->buffer, bytes, wanted);
    upload->count = upload->kept = wanted;
    return 0;
}

/* Makes the buffer a part. 0 or negative. */
static int send_part(struct s3_upload *upload, struct error *err)
{
    struct session *session = &upload->session;
    int r = 0;

    if (!*session->id)
        r = multipart_start(upload->s3, upload->key, session->id, err);
    if (r == 0)
        r = multipart_put(upload->s3, upload->key, session->id, session->parts + 1, upload->buffer,
                          upload->count, err);
    if (r < 0)
        return r;
    session->parts++;
    session->base += upload->count;
    session->tail = 0;
    upload->count = upload->kept = 0;
    return 0;
}

int s3_upload_keep(struct storage_upload *base, struct error *err)
{
    struct s3_upload *upload = upload_of(base);
    CLEANUP_FREE char *key = tail_key(upload);
    struct storage_step step = {
        .kind = STORAGE_PUT, .key = key, .data = upload->buffer, .size = upload->count};
    int r = 0;

    if (!key)
        return error_set_oom(err);
    if (upload->count > upload->kept)
        r = s3_put(upload->s3, &step, err);
    if (r != 0)
        return r;
    upload->kept = upload->session.tail = upload->count;
    r = write_session(upload, false, err);
    return r == STORAGE_CONFLICT ? STORAGE_CLAIM_LOST : r;
}

/* --- the functions of an upload -------------------------------------------------------------- */

static int upload_new(struct s3 *s3, const char *key, struct s3_upload **ret)
{
    struct s3_upload *upload = calloc(1, sizeof(*upload));

    if (!upload)
        return -ENOMEM;
    upload->upload.functions = s3->storage.functions;
    upload->s3 = s3;
    upload->key = strdup(key);
    random_uuid(upload->me);
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

int s3_upload_open(struct storage *storage, const char *key, enum storage_upload_mode mode,
                   unsigned patience_ms, struct storage_upload **ret, struct error *err)
{
    struct s3_upload *upload;
    int r;

    if (upload_new((struct s3 *)storage, key, &upload) < 0)
        return error_set_oom(err);
    if (mode == STORAGE_UPLOAD_NEW) {
        random_uuid(upload->session.stamp);
        r = write_session(upload, true, err);
    } else {
        r = claim_existing(upload, patience_ms, err);
        if (r == 0)
            r = load_tail(upload, err);
    }
    if (r != 0) {
        upload_free(upload);
        return r;
    }
    *ret = &upload->upload;
    return 0;
}

int s3_upload_head(struct storage *storage, const char *key, uint64_t *ret_size, struct error *err)
{
    struct session session;
    int r = session_read((struct s3 *)storage, key, &session, err);

    if (r == 0)
        *ret_size = session.base + session.tail;
    return r;
}

int s3_upload_get_state(struct storage_upload *base, struct storage_upload_state *ret,
                        struct error *err)
{
    const struct s3_upload *upload = upload_of(base);

    (void)err;
    *ret = (struct storage_upload_state){.size = upload->session.base + upload->count};
    memcpy(ret->version.words, upload->session.stamp, RANDOM_UUID_SIZE);
    return 0;
}

/* A part that is full must be sent first; a lease that ends soon must be renewed. */
bool s3_upload_would_wait(const struct storage_upload *base, size_t size)
{
    const struct s3_upload *upload = (const struct s3_upload *)base;
    int64_t rest_s = upload->session.until_s - storage_now(&upload->s3->storage);

    return upload->is_over || upload->session.is_sealed || size > room_in_part(upload) ||
           rest_s <= S3_LEASE_S / 2 + S3_DRIFT_S;
}

/* Takes all of data, or fails with the upload as it was: sent parts are only bytes of before. */
int s3_upload_append(struct storage_upload *base, uint64_t offset, const void *data, size_t size,
                     struct error *err)
{
    struct s3_upload *upload = upload_of(base);
    const char *bytes = data;
    size_t count = upload->count;
    uint64_t parts_end = upload->session.base;
    int r = renew(upload, err);

    if (r != 0)
        return r;
    if (offset != upload->session.base + upload->count)
        return STORAGE_WRONG_OFFSET;
    if (upload->session.is_sealed)
        return error_set(err, EIO, "%s was read again, and takes no more bytes", upload->key);
    while (r == 0 && size > 0) {
        size_t n = room_in_part(upload);

        if (n == 0) {
            r = send_part(upload, err);
            continue;
        }
        n = n < size ? n : size;
        r = make_room(upload, n, err);
        if (r < 0)
            break;
        memcpy(upload->buffer + upload->count, bytes, n);
        upload->count += n;
        bytes += n;
        size -= n;
        random_uuid(upload->session.stamp);
    }
    if (r < 0 && upload->session.base == parts_end)
        upload->count = count;
    return r;
}

/* Makes one object of the parts, at the key of the upload: parts cannot be read. */
static int seal(struct s3_upload *upload, struct error *err)
{
    int r = upload->count > 0 ? send_part(upload, err) : 0;

    if (r == 0)
        r = multipart_complete(upload->s3, upload->key, upload->session.id, upload->session.parts,
                               upload->session.base, err);
    if (r < 0)
        return r;
    upload->session.is_sealed = true;
    r = write_session(upload, false, err);
    return r > 0 ? error_set(err, ESTALE, "the claim on %s is lost", upload->key) : r;
}

/* 0, STORAGE_NOT_FOUND or negative. */
static int open_parts(struct s3_upload *upload)
{
    struct storage_object object;
    int r = upload->session.is_sealed ? 0 : seal(upload, NULL);

    return r == 0 ? storage_open(&upload->s3->storage, upload->key, STORAGE_MAY_WAIT,
                                 &upload->reader, &object, NULL)
                  : r;
}

ssize_t s3_upload_read(struct storage_upload *base, uint64_t offset, void *ret_data, size_t size)
{
    struct s3_upload *upload = upload_of(base);
    uint64_t in_buffer = upload->session.base;
    int r;

    if (offset >= in_buffer) {
        size_t rest = offset - in_buffer < upload->count ? upload->count - (offset - in_buffer) : 0;
        size_t n = size < rest ? size : rest;

        memcpy(ret_data, upload->buffer + (offset - in_buffer), n);
        return (ssize_t)n;
    }
    r = upload->reader ? 0 : open_parts(upload);
    if (r == 0)
        r = renew(upload, NULL); /* reading a large upload takes longer than a lease */
    if (r != 0)
        return r < 0 ? r : -ESTALE;
    return storage_reader_read(upload->reader, offset, ret_data, size);
}

int s3_upload_discard(struct storage_upload *base, struct error *err)
{
    struct s3_upload *upload = upload_of(base);
    int r = upload->is_over ? 0 : session_remove(upload->s3, upload->key, &upload->session, err);

    upload->is_over = upload->is_over || r == 0;
    return r;
}

/* Gives the claim back. What cannot be kept was not acknowledged. */
void s3_upload_close(struct storage_upload *base)
{
    struct s3_upload *upload = upload_of(base);
    struct error ignored;

    if (!upload->is_over && s3_upload_keep(base, &ignored) == 0) {
        upload->session.holder[0] = '\0';
        (void)!session_write(upload->s3, upload->key, &upload->session, false, &ignored);
    }
    upload_free(upload);
}

/* --- publishing ------------------------------------------------------------------------------ */

static int publish_small(struct s3_upload *upload, const char *key, struct error *err)
{
    const struct storage_step step = {.kind = STORAGE_PUT,
                                      .key = key,
                                      .data = upload->buffer,
                                      .size = upload->count,
                                      .condition = STORAGE_IF_ABSENT};

    return s3_put(upload->s3, &step, err);
}

static int publish_large(struct s3_upload *upload, const char *key, struct error *err)
{
    struct storage_object object;
    int r = s3_head(upload->s3, key, &object, err);

    if (r != STORAGE_NOT_FOUND)
        return r < 0 ? r : STORAGE_CONFLICT;
    if (!upload->session.is_sealed)
        r = seal(upload, err);
    else
        r = 0;
    return r == 0 ? multipart_copy(upload->s3, upload->key, upload->session.base, key, err) : r;
}

int s3_publish(const struct storage_step *step, struct error *err)
{
    struct s3_upload *upload = upload_of(step->upload);
    struct error ignored;
    int r = renew(upload, err);

    if (r == 0)
        r = upload->session.parts == 0 ? publish_small(upload, step->key, err)
                                       : publish_large(upload, step->key, err);
    if (r != 0)
        return r;
    upload->is_over = true;
    (void)!session_remove(upload->s3, upload->key, &upload->session, &ignored);
    return 0;
}
