/*
 * The bytes of an upload after its parts. They gather in a buffer; a full one becomes a part of a
 * multipart upload. A buffer that is not small needs memory of the budget of all uploads, which is
 * asked for before bytes are taken from the client.
 *
 * While others wait for memory, nobody keeps it for longer than HOLD_MS without making it a part:
 * the bytes go to the store as a piece then, and the upload is slow. A slow upload asks for little
 * memory, adds pieces, and asks for the memory of a part only when it has the bytes of one. So slow
 * clients do not delay others. If a client sends nothing, the budget's thread does that.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/storage/s3/multipart.h"
#include "registry/storage/s3/upload-private.h"

enum { FIRST_CAPACITY = 64 << 10, HOLD_MS = 2000, PIECES_OF_PART = 16 };

/* --- the buffer ------------------------------------------------------------------------------ */

/* A tail of another server, whose parts are larger, may fill more than a part. */
static size_t room_in_part(const struct s3_upload *upload)
{
    size_t size = upload->s3->options.part_size;

    return upload->count < size ? size - upload->count : 0;
}

int s3_upload_grow(struct s3_upload *upload, size_t size, struct error *err)
{
    size_t needed = upload->count + size;
    size_t capacity = upload->grant.is_held ? upload->grant.size : FIRST_CAPACITY;
    char *buffer;

    if (needed <= upload->capacity)
        return 0;
    capacity = capacity > needed ? capacity : needed;
    buffer = malloc(capacity);
    if (!buffer)
        return error_set_oom(err);
    if (upload->count > 0)
        memcpy(buffer, upload->buffer, upload->count);
    free(upload->buffer);
    upload->buffer = buffer;
    upload->capacity = capacity;
    return 0;
}

void s3_upload_drop_buffer(struct s3_upload *upload)
{
    free(upload->buffer);
    upload->buffer = NULL;
    upload->count = upload->capacity = 0;
    upload_budget_shrink(upload->s3->budget, &upload->grant, 0);
}

/* Keeps the last bytes of the buffer, which are few, in memory of their own. */
static int keep_last(struct s3_upload *upload, size_t size, struct error *err)
{
    size_t capacity = size > FIRST_CAPACITY ? size : FIRST_CAPACITY;
    char *buffer = size > 0 ? malloc(capacity) : NULL;

    if (size > 0 && !buffer)
        return error_set_oom(err);
    if (buffer)
        memcpy(buffer, upload->buffer + upload->count - size, size);
    s3_upload_drop_buffer(upload);
    upload->buffer = buffer;
    upload->count = size;
    upload->capacity = buffer ? capacity : 0;
    return 0;
}

/* --- parts ----------------------------------------------------------------------------------- */

static int fail_full(const struct s3_upload *upload, struct error *err)
{
    return error_set(err, EOVERFLOW,
                     "the upload %s needs more than %u parts of %zu bytes: set a larger "
                     "storage.s3.chunksize",
                     upload->key, upload->s3->options.parts_max, upload->s3->options.part_size);
}

static int put_part(struct s3_upload *upload, size_t size, struct error *err)
{
    struct session *session = &upload->session;
    char etag[S3_ETAG_SIZE + 2];
    bool is_first = !*session->id;
    int r = is_first ? multipart_start(upload->s3, upload->key, session->id, err) : 0;

    if (r == 0)
        r = is_first ? s3_upload_note(upload, err) : s3_upload_claim(upload, err);
    if (r == 0)
        r = multipart_put(upload->s3, upload->key, session->id, session->parts + 1, upload->buffer,
                          size, etag, err);
    if (r == 0)
        session_add_part(session, etag, size);
    return r;
}

/* All parts but the last have one size, which some stores require. What was kept stays together. */
int s3_upload_send_part(struct s3_upload *upload, struct error *err)
{
    size_t part = upload->s3->options.part_size;
    size_t size = upload->count > part && upload->kept <= part ? part : upload->count;
    int r;

    if (upload->session.parts >= upload->s3->options.parts_max)
        return fail_full(upload, err);
    r = put_part(upload, size, err);
    if (r != 0)
        return r;
    upload->kept = 0;
    free(upload->inside);
    upload->inside = NULL;
    return keep_last(upload, upload->count - size, err);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* Whether others have waited for long enough for what a client does not fill. */
static bool must_give_up(const struct s3_upload *upload)
{
    return upload->grant.is_held && upload_budget_is_short(upload->s3->budget) &&
           monotonic_ms() - upload->grant.since_ms >= HOLD_MS;
}

static int give_up(struct s3_upload *upload, struct error *err)
{
    upload->is_slow = true;
    return upload->count <= UPLOAD_SMALL_MAX ? keep_last(upload, upload->count, err)
                                             : s3_upload_spill(upload, err);
}

/* If it cannot, because the store does not answer, it is called again. */
void s3_upload_take_back(struct upload_grant *grant)
{
    struct s3_upload *upload =
        (struct s3_upload *)((char *)grant - offsetof(struct s3_upload, grant));
    struct error ignored;

    if (upload->phase == UPLOAD_OPEN)
        (void)!give_up(upload, &ignored);
}

/* Whether that many more bytes can be taken without more memory. A full part is sent first. */
static bool has_memory(const struct s3_upload *upload, size_t size)
{
    if (!upload->grant.is_held)
        return upload->count + size <= UPLOAD_SMALL_MAX;
    return upload->grant.size >= upload->s3->options.part_size ||
           upload->count + size <= upload->grant.size;
}

/* How much to ask for. */
static size_t choose_grant(struct s3_upload *upload, size_t size)
{
    size_t part = upload->s3->options.part_size, least = part / PIECES_OF_PART;
    size_t rest = upload_rest(upload);

    upload->is_slow = upload->is_slow && upload_budget_is_short(upload->s3->budget);
    if (upload->is_slow && rest + size <= part && upload->count + size <= least)
        return least;
    return rest > part ? rest : part;
}

int s3_upload_ask(struct s3_upload *upload, size_t size, enum storage_waiting waiting,
                  struct error *err)
{
    struct upload_budget *budget = upload->s3->budget;

    upload->grant.owner = upload->upload.owner;
    if (upload_budget_ask(budget, &upload->grant, size))
        return 0;
    if (waiting == STORAGE_MUST_NOT_WAIT)
        return STORAGE_WOULD_WAIT;
    return upload_budget_wait(budget, &upload->grant)
               ? 0
               : error_set(err, ECANCELED, "the server is being stopped");
}

/* 0, STORAGE_WOULD_WAIT or negative. */
static int make_room(struct s3_upload *upload, size_t size, enum storage_waiting waiting,
                     struct error *err)
{
    size_t wanted = upload->grant.size > 0 ? upload->grant.size : choose_grant(upload, size);

    int r = s3_upload_ask(upload, wanted, waiting, err);

    if (r != 0)
        return r;
    return wanted >= upload->s3->options.part_size ? s3_upload_gather(upload, waiting, err)
                                                   : s3_upload_grow(upload, size, err);
}

/* For keeping or publishing: all bytes in memory, and no more memory than they need. */
static int settle(struct s3_upload *upload, enum storage_waiting waiting, struct error *err)
{
    int r = s3_upload_gather(upload, waiting, err);

    if (r == 0)
        upload_budget_shrink(upload->s3->budget, &upload->grant,
                             upload->count > 0 ? upload->count : 0);
    return r;
}

int s3_upload_reserve(struct storage_upload *base, size_t size, enum storage_waiting waiting,
                      struct error *err)
{
    CLEANUP(s3_upload_unusep) struct s3_upload *upload = s3_upload_use(base);
    int r = 0;

    if (upload->phase != UPLOAD_OPEN)
        return 0;
    if (size == 0)
        return settle(upload, waiting, err);
    /* A part that is full is sent now. */
    if (must_give_up(upload) && (upload->piece_count > 0 || room_in_part(upload) > 0))
        r = give_up(upload, err);
    if (r == 0 && upload->grant.is_held && !has_memory(upload, size))
        r = s3_upload_spill(upload, err);
    if (r == 0 && !has_memory(upload, size))
        r = make_room(upload, size, waiting, err);
    return r;
}

/* The grant is not held, so its memory is not taken back. After a notice others may use it. */
bool s3_upload_notify(struct storage_upload *base, storage_ready *ready, void *object)
{
    struct s3_upload *upload = (struct s3_upload *)base;

    return upload_budget_notify(upload->s3->budget, &upload->grant, ready, object);
}

/* --- appending ------------------------------------------------------------------------------- */

/* A part that is full must be sent first; a lease that ends soon must be renewed. */
static bool would_wait(const struct s3_upload *upload, size_t size)
{
    return upload->phase != UPLOAD_OPEN || upload->session.is_sealed ||
           s3_upload_needs_claim(upload) || !has_memory(upload, size) || must_give_up(upload) ||
           (upload->piece_count == 0 && size > room_in_part(upload));
}

/* While its memory is being taken back, it waits for the store. */
bool s3_upload_would_wait(const struct storage_upload *base, size_t size)
{
    struct s3_upload *upload = (struct s3_upload *)base;
    bool result = true;

    if (upload_budget_try_use(upload->s3->budget, &upload->grant)) {
        result = would_wait(upload, size);
        upload_budget_unuse(upload->s3->budget, &upload->grant);
    }
    return result;
}

/* How many more bytes can be taken before a part is sent. The bytes after pieces are not a part. */
static size_t find_room(const struct s3_upload *upload)
{
    return upload->piece_count > 0 ? SIZE_MAX : room_in_part(upload);
}

/* Takes all of data, or fails with the upload as it was: sent parts are only bytes of before. */
static int take_bytes(struct s3_upload *upload, const char *data, size_t size, struct error *err)
{
    size_t count = upload->count;
    uint64_t parts_end = upload->session.base;
    int r = 0;

    while (r == 0 && size > 0) {
        size_t room = find_room(upload), n = room < size ? room : size;

        if (n == 0) {
            r = s3_upload_send_part(upload, err);
            continue;
        }
        r = upload->session.parts < upload->s3->options.parts_max ? s3_upload_grow(upload, n, err)
                                                                  : fail_full(upload, err);
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
    CLEANUP(s3_upload_unusep) struct s3_upload *upload = s3_upload_use(base);
    int r = upload->phase != UPLOAD_OPEN ? STORAGE_CLAIM_LOST : 0;

    if (r == 0 && s3_upload_needs_claim(upload))
        r = s3_upload_claim(upload, err);
    if (r != 0)
        return r;
    if (offset != upload->session.base + upload_rest(upload))
        return STORAGE_WRONG_OFFSET;
    if (upload->session.is_sealed)
        return error_set(err, EIO, "%s was read again, and takes no more bytes", upload->key);
    r = take_bytes(upload, data, size, err);
    if (r == 0 && size > 0)
        random_uuid(upload->session.stamp);
    return r;
}
