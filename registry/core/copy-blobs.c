/*
 * A blob is copied by the first thread that needs it; others wait for it. A larger blob passes
 * through an upload, so that a copy that ends in the middle leaves nothing at the blob's key.
 */
#include "registry/core/copy-blobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "registry/core/copy-table.h"
#include "registry/core/store-private.h"

/* Below KEY_RECORDS: see docs/storage.md. */
#define UPLOADS KEY_RECORDS "copy/"

enum {
    BLOCK_SIZE = 1 << 20,  /* a blob of at most this size is written at once */
    TRANSFERS_MAX = 6,     /* bounds the memory, and the load of both storages */
    FIRST_KEEP = 11 << 20, /* see keep_sometimes(): more than a part of a bucket, usually */
    MAX_TRIES = 10,
};

struct copy_blobs {
    struct store *from, *to;
    struct copy_report *report;
    struct copy_table table;
    pthread_mutex_t lock; /* protects transfers */
    pthread_cond_t has_ended;
    unsigned transfers;
};

/* The copy of one blob, by one thread. */
struct transfer {
    struct copy_blobs *blobs;
    const struct copy_blob *blob;
    struct key key;
    bool is_expected;  /* its size is in the totals of the progress */
    bool is_replacing; /* the destination has damaged bytes of that version */
    struct storage_version version;
    struct storage_object source;
    struct storage_reader *reader;
    char *block; /* of BLOCK_SIZE bytes */
};

int copy_blobs_new(struct store *from, struct store *to, struct copy_report *report,
                   struct copy_blobs **ret)
{
    struct copy_blobs *blobs = calloc(1, sizeof(*blobs));

    if (!blobs)
        return -ENOMEM;
    *blobs = (struct copy_blobs){.from = from, .to = to, .report = report};
    pthread_mutex_init(&blobs->lock, NULL);
    pthread_cond_init(&blobs->has_ended, NULL);
    copy_table_init(&blobs->table);
    *ret = blobs;
    return 0;
}

void copy_blobs_free(struct copy_blobs *blobs)
{
    if (!blobs)
        return;
    copy_table_done(&blobs->table);
    pthread_cond_destroy(&blobs->has_ended);
    pthread_mutex_destroy(&blobs->lock);
    free(blobs);
}

/* --- damage ---------------------------------------------------------------------------------- */

/* A network fails for a while, and for all objects; a file that cannot be read stays so. */
bool copy_is_damage(struct store *from, int r)
{
    return r < 0 && (r == -EBADMSG || r == -EFBIG ||
                     (!store_is_remote(from) && r != -ENOMEM && r != -EMFILE && r != -ENFILE));
}

static int report_damage(struct copy_blobs *blobs, const struct copy_blob *blob, const char *why)
{
    copy_report_damage(blobs->report, "not copied: sha256:%s of %s: %s", blob->canonical->hex,
                       blob->name, why);
    return COPY_DAMAGED;
}

/* COPY_MISSING, COPY_DAMAGED or negative. */
static int judge_failure(const struct transfer *transfer, int r, struct error *err)
{
    if (r == -ESTALE)
        return COPY_MISSING;
    return copy_is_damage(transfer->blobs->from, r)
               ? report_damage(transfer->blobs, transfer->blob, err->text)
               : r;
}

void copy_blobs_report_missing(struct copy_blobs *blobs, const struct copy_blob *blob)
{
    enum copy_state state;

    if (!copy_table_begin(&blobs->table, blob->canonical, &state))
        return;
    copy_table_end(&blobs->table, blob->canonical, COPY_GIVEN_UP);
    report_damage(blobs, blob, "it is missing");
}

/* --- bytes ----------------------------------------------------------------------------------- */

/*
 * Fills the block. The source's bytes are read in order. Returns their number, 0 at the end, or
 * negative with err filled.
 */
static ssize_t read_block(const struct transfer *transfer, uint64_t offset, struct error *err)
{
    size_t size = 0;
    ssize_t n = 1;

    while (size < BLOCK_SIZE && n > 0) {
        n = storage_reader_read(transfer->reader, offset + size, transfer->block + size,
                                BLOCK_SIZE - size);
        if (n < 0)
            return error_set_errno(err, (int)-n, "cannot read %s", transfer->key.text);
        size += (size_t)n;
    }
    return (ssize_t)size;
}

/* Other bytes at the key are removed when those of the source are known to be right. */
static int make_place(const struct transfer *transfer, struct error *err)
{
    int r = transfer->is_replacing
                ? storage_remove_if_unchanged(transfer->blobs->to->storage, transfer->key.text,
                                              &transfer->version, err)
                : 0;

    return r < 0 ? r : 0;
}

/* Puts a small blob. If another process was faster, it has the same bytes. */
static int put_bytes(const struct transfer *transfer, const void *bytes, size_t size,
                     struct error *err)
{
    const struct storage_step step = {.kind = STORAGE_PUT,
                                      .key = transfer->key.text,
                                      .data = bytes,
                                      .size = size,
                                      .condition = STORAGE_IF_ABSENT};
    int r = make_place(transfer, err);

    if (r == 0)
        r = storage_write(transfer->blobs->to->storage, &step, 1, err);
    return r > 0 && r != STORAGE_CONFLICT ? error_set(err, EIO, "cannot write %s", step.key)
           : r < 0                        ? r
                                          : 0;
}

/* 0, COPY_DAMAGED or negative. */
static int copy_small(const struct transfer *transfer, struct error *err)
{
    ssize_t size = read_block(transfer, 0, err);
    struct digest found;

    if (size < 0)
        return judge_failure(transfer, (int)size, err);
    if (digest_of(DIGEST_SHA256, transfer->block, (size_t)size, &found) < 0)
        return error_set_oom(err);
    if (!digest_is_equal(&found, transfer->blob->canonical))
        return report_damage(transfer->blobs, transfer->blob, "its bytes do not match its digest");
    return put_bytes(transfer, transfer->block, (size_t)size, err);
}

/*
 * Makes the upload's state survive this process now and then, so that the next copy can remove it
 * from a bucket, where parts of an upload whose state is unknown stay forever.
 */
static int keep_sometimes(struct storage_upload *upload, uint64_t offset, uint64_t *next,
                          struct error *err)
{
    if (offset < *next)
        return 0;
    *next = offset * 2;
    return storage_upload_keep(upload, err);
}

/* Reads everything into the upload. 0, COPY_MISSING, COPY_DAMAGED or negative. */
static int pass_bytes(const struct transfer *transfer, struct storage_upload *upload,
                      struct error *err)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    uint64_t offset = 0, next = FIRST_KEEP;
    struct digest found;
    ssize_t n;
    int r = 0;

    if (hasher_new(DIGEST_SHA256, &hasher) < 0)
        return error_set_oom(err);
    while ((n = read_block(transfer, offset, err)) > 0) {
        hasher_write(hasher, transfer->block, (size_t)n);
        r = storage_upload_reserve(upload, (size_t)n, STORAGE_MAY_WAIT, err);
        if (r == 0)
            r = storage_upload_append(upload, offset, transfer->block, (size_t)n, err);
        offset += (uint64_t)n;
        if (r == 0)
            r = keep_sometimes(upload, offset, &next, err);
        if (r != 0)
            return r < 0 ? r
                         : error_set(err, ESTALE, "another process writes to the upload of %s",
                                     transfer->key.text);
        copy_report_progress(transfer->blobs->report, 0, (uint64_t)n);
    }
    if (n < 0)
        return judge_failure(transfer, (int)n, err);
    hasher_get(hasher, &found);
    return digest_is_equal(&found, transfer->blob->canonical)
               ? 0
               : report_damage(transfer->blobs, transfer->blob,
                               "its bytes do not match its digest");
}

/* 0, or negative. If another process was faster, it has published the same bytes. */
static int publish(const struct transfer *transfer, struct storage_upload *upload,
                   struct error *err)
{
    const struct storage_step step = {
        .kind = STORAGE_PUBLISH, .key = transfer->key.text, .upload = upload};
    int r = make_place(transfer, err);

    if (r == 0)
        r = storage_write(transfer->blobs->to->storage, &step, 1, err);
    if (r == STORAGE_CONFLICT)
        return storage_upload_discard(upload, err);
    return r > 0 ? error_set(err, ESTALE, "the upload of %s was ended by another process", step.key)
                 : r;
}

static int copy_large(const struct transfer *transfer, struct error *err)
{
    char id[RANDOM_UUID_SIZE], name[sizeof(UPLOADS) + RANDOM_UUID_SIZE + sizeof("/data")];
    struct storage_upload *upload = NULL;
    struct error ignored;
    int r;

    random_uuid(id);
    snprintf(name, sizeof(name), UPLOADS "%s/data", id);
    r = storage_upload_open(transfer->blobs->to->storage, name, STORAGE_UPLOAD_NEW, 0, &upload,
                            err);
    if (r != 0)
        return r > 0 ? error_set(err, EEXIST, "%s exists already", name) : r;
    r = pass_bytes(transfer, upload, err);
    if (r == 0)
        r = publish(transfer, upload, err);
    if (r != 0)
        (void)!storage_upload_discard(upload, &ignored);
    storage_upload_close(upload);
    return r;
}

/* --- one blob -------------------------------------------------------------------------------- */

static void take_turn(struct copy_blobs *blobs)
{
    pthread_mutex_lock(&blobs->lock);
    while (blobs->transfers == TRANSFERS_MAX)
        pthread_cond_wait(&blobs->has_ended, &blobs->lock);
    blobs->transfers++;
    pthread_mutex_unlock(&blobs->lock);
}

static void end_turn(struct copy_blobs *blobs)
{
    pthread_mutex_lock(&blobs->lock);
    blobs->transfers--;
    pthread_cond_signal(&blobs->has_ended);
    pthread_mutex_unlock(&blobs->lock);
}

/* Reads and writes the bytes. 0, COPY_MISSING, COPY_DAMAGED or negative. */
static int copy_bytes(struct transfer *transfer, struct error *err)
{
    struct copy_blobs *blobs = transfer->blobs;
    bool is_large;
    int r = storage_open(blobs->from->storage, transfer->key.text, STORAGE_MAY_WAIT,
                         &transfer->reader, &transfer->source, err);

    if (r != 0)
        return r > 0 ? COPY_MISSING : judge_failure(transfer, r, err);
    is_large = transfer->source.size > BLOCK_SIZE;
    if (!transfer->is_expected)
        copy_report_expect(blobs->report, 1, (int64_t)transfer->source.size);
    transfer->is_expected = true;
    transfer->block = malloc(BLOCK_SIZE);
    if (!transfer->block)
        r = error_set_oom(err);
    else
        r = is_large ? copy_large(transfer, err) : copy_small(transfer, err);
    copy_report_progress(blobs->report, r == 0, is_large ? 0 : transfer->source.size);
    free(transfer->block);
    storage_reader_close(transfer->reader);
    return r;
}

static int copy_given(struct transfer *transfer, struct error *err)
{
    struct copy_report *report = transfer->blobs->report;
    int r = put_bytes(transfer, transfer->blob->bytes, transfer->blob->size, err);

    transfer->source.size = transfer->blob->size;
    if (!transfer->is_expected)
        copy_report_expect(report, 1, (int64_t)transfer->blob->size);
    copy_report_progress(report, 1, transfer->blob->size);
    return r;
}

/*
 * Whether the destination has the blob already. The source's size tells a blob that registry:2 has
 * written in part. 1, 0 or negative.
 */
static int is_there(struct transfer *transfer, struct error *err)
{
    struct copy_blobs *blobs = transfer->blobs;
    struct storage_object there;
    struct error ignored;
    int r = storage_head(blobs->to->storage, transfer->key.text, STORAGE_MAY_WAIT, &there, err);

    if (r != 0)
        return r < 0 ? r : 0;
    r = transfer->blob->bytes ? 0
                              : storage_head(blobs->from->storage, transfer->key.text,
                                             STORAGE_MAY_WAIT, &transfer->source, &ignored);
    if (transfer->blob->bytes)
        transfer->source.size = transfer->blob->size;
    transfer->is_replacing = r == 0 && there.size != transfer->source.size;
    transfer->version = there.version;
    if (!transfer->is_replacing && transfer->is_expected)
        copy_report_expect(blobs->report, -1, -(int64_t)there.size);
    return !transfer->is_replacing;
}

static int copy_blob(struct transfer *transfer, struct error *err)
{
    struct copy_blobs *blobs = transfer->blobs;
    int r = is_there(transfer, err);

    if (r != 0)
        return r < 0 ? r : 0;
    take_turn(blobs);
    r = transfer->blob->bytes ? copy_given(transfer, err) : copy_bytes(transfer, err);
    end_turn(blobs);
    if (r == 0)
        copy_report_blob(blobs->report, transfer->source.size);
    return r;
}

/* 0, COPY_MISSING, COPY_DAMAGED or negative. */
static int ensure_blob(struct copy_blobs *blobs, const struct copy_blob *blob, struct error *err)
{
    struct transfer transfer = {.blobs = blobs, .blob = blob, .key = key_blob(blob->canonical)};
    enum copy_state state;
    int r;

    if (!copy_table_begin(&blobs->table, blob->canonical, &state))
        return state == COPY_BUSY ? error_set_oom(err) : state == COPY_GIVEN_UP ? COPY_DAMAGED : 0;
    transfer.is_expected = state == COPY_EXPECTED;
    r = copy_blob(&transfer, err);
    copy_table_end(&blobs->table, blob->canonical,
                   r == 0              ? COPY_THERE
                   : r == COPY_DAMAGED ? COPY_GIVEN_UP
                                       : COPY_UNKNOWN);
    return r;
}

/* Tries again if a collection in the destination has removed the blob in between. */
int copy_blobs_write(struct copy_blobs *blobs, const struct copy_blob *blob,
                     struct storage_step *steps, size_t count, struct error *err)
{
    struct key key = key_blob(blob->canonical);

    steps[0] = (struct storage_step){.kind = STORAGE_KEEP, .key = key.text};
    for (int try = 0; try < MAX_TRIES; try++) {
        int r = ensure_blob(blobs, blob, err);

        if (r == 0)
            r = storage_write(blobs->to->storage, steps, count, err);
        else
            return r;
        if (r == 0)
            copy_report_count(blobs->report, &blobs->report->result.links);
        if (r <= 0)
            return r;
        copy_table_end(&blobs->table, blob->canonical, COPY_UNKNOWN);
    }
    return error_set(err, EAGAIN,
                     "%s is removed from the destination again and again; try again later",
                     key.text);
}

int copy_blobs_expect(struct copy_blobs *blobs, const struct digest *canonical, uint64_t size)
{
    int r = copy_table_expect(&blobs->table, canonical);

    if (r > 0)
        copy_report_expect(blobs->report, 1, (int64_t)size);
    return r < 0 ? r : 0;
}

/* --- other digests, and leftovers ------------------------------------------------------------ */

int copy_blobs_check_alias(struct copy_blobs *blobs, const struct digest *alias,
                           const struct digest *canonical, struct error *err)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    CLEANUP_FREE char *block = malloc(BLOCK_SIZE);
    struct transfer transfer = {.blobs = blobs, .key = key_blob(canonical), .block = block};
    struct digest found;
    uint64_t offset = 0;
    ssize_t n;
    int r;

    if (!block || hasher_new(alias->algorithm, &hasher) < 0)
        return error_set_oom(err);
    r = storage_open(blobs->from->storage, transfer.key.text, STORAGE_MAY_WAIT, &transfer.reader,
                     &transfer.source, err);
    if (r != 0)
        return r > 0 ? COPY_MISSING : r;
    while ((n = read_block(&transfer, offset, err)) > 0) {
        hasher_write(hasher, block, (size_t)n);
        offset += (uint64_t)n;
    }
    storage_reader_close(transfer.reader);
    if (n < 0)
        return n == -ESTALE ? COPY_MISSING : (int)n;
    hasher_get(hasher, &found);
    return digest_is_equal(&found, alias) ? 0 : COPY_DAMAGED;
}

/* An upload that a running copy holds stays. */
static int discard_leftover(struct storage *storage, const char *id, struct error *err)
{
    CLEANUP_FREE char *name = NULL, *prefix = NULL;
    const char *keys[1];
    struct storage_upload *upload;
    int r;

    if (asprintf(&prefix, UPLOADS "%s/", id) < 0 || asprintf(&name, UPLOADS "%s/data", id) < 0)
        return error_set_oom(err);
    r = storage_upload_open(storage, name, STORAGE_UPLOAD_RESUME, 0, &upload, err);
    if (r == STORAGE_NOT_FOUND) {
        keys[0] = prefix;
        return storage_remove(storage, keys, 1, err);
    }
    if (r != 0)
        return r < 0 ? r : 0;
    r = storage_upload_discard(upload, err);
    storage_upload_close(upload);
    return r;
}

int copy_blobs_clean_up(struct store *to, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = storage_list(to->storage, UPLOADS, NULL, SIZE_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < list.count; i++)
        r = discard_leftover(to->storage, list.entries[i]->name, err);
    return r;
}
