/*
 * Upload sessions. Bytes are appended to a session, and their digest is computed at the same time.
 * If another process may have written some of them (registry:2, another server, this server before
 * a restart), all bytes are read again before the session becomes a blob.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/rfc3339.h"
#include "registry/core/upload-private.h"

enum { MAX_TRIES = 10 };

/*
 * Bytes arrive in pieces of any size, for example TLS records. Writing many whole pages at once
 * takes half the time or less, so an upload of more than one block gathers pieces in a block. There
 * are at most BLOCKS_MAX blocks.
 */
enum { BLOCK_SIZE = 64 << 10, BLOCKS_MAX = 256 };

static int fail_lost(const struct upload *upload, struct error *err)
{
    return error_set(err, ESTALE, "the upload %s of %s was ended or continued by another request",
                     upload->id, upload->name);
}

static int append(struct upload *upload, const void *data, size_t size, struct error *err)
{
    int r = storage_upload_append(upload->session, upload->size, data, size, err);

    if (r > 0)
        return fail_lost(upload, err);
    if (r < 0)
        return r;
    if (upload->hash.sha256)
        upload_hash_write(&upload->hash, data, size);
    upload->size += size;
    return 0;
}

static int flush(struct upload *upload, struct error *err)
{
    size_t size = upload->held;

    upload->held = 0;
    return size > 0 ? append(upload, upload->block, size, err) : 0;
}

static void drop_block(struct upload *upload)
{
    if (!upload->block)
        return;
    free(upload->block);
    upload->block = NULL;
    __atomic_sub_fetch(&upload->store->blocks, 1, __ATOMIC_RELAXED);
}

/* Call it before the claim is released, so that the hash matches the state. */
static void keep_hash(struct upload *upload)
{
    struct storage_upload_state state;

    if (upload->session && upload->hash.sha256 &&
        storage_upload_get_state(upload->session, &state, NULL) == 0)
        upload_hashes_keep(upload->store->uploads, upload->name, upload->id, &state, &upload->hash);
}

void upload_release(struct upload *upload)
{
    if (!upload)
        return;
    if (!upload->is_over && upload->session)
        /* the client has disconnected; later it asks how many bytes arrived */
        (void)flush(upload, NULL);
    drop_block(upload);
    if (!upload->is_over)
        keep_hash(upload);
    upload_hash_done(&upload->hash);
    storage_upload_close(upload->session);
    free(upload->name);
    free(upload);
}

static void upload_releasep(struct upload **upload)
{
    upload_release(*upload);
}

static struct upload *upload_new(struct store *store, const char *name, const char *id)
{
    struct upload *upload = calloc(1, sizeof(*upload));

    if (!upload)
        return NULL;
    upload->store = store;
    upload->name = strdup(name);
    if (!upload->name || strlen(id) >= sizeof(upload->id)) {
        free(upload->name);
        free(upload);
        return NULL;
    }
    memcpy(upload->id, id, strlen(id) + 1);
    return upload;
}

/* --- opening ----------------------------------------------------------------------------- */

/*
 * Opens the session's bytes and takes their hash, if it is known. 0, negative, or the storage's
 * outcome.
 */
static int open_session(struct upload *upload, enum storage_upload_mode mode, unsigned patience_ms,
                        struct error *err)
{
    struct key data = key_upload(upload->name, upload->id, "data");
    struct storage_upload_state state;
    int r = storage_upload_open(upload->store->storage, data.text, mode, patience_ms,
                                &upload->session, err);

    if (r == 0)
        r = storage_upload_get_state(upload->session, &state, err);
    if (r != 0)
        return r;
    upload->size = state.size;
    if (mode == STORAGE_UPLOAD_RESUME)
        upload_hashes_take(upload->store->uploads, upload->name, upload->id, &state, &upload->hash);
    if (upload->size == 0 && !upload->hash.sha256 &&
        upload_hash_new(DIGEST_SHA256, &upload->hash) < 0)
        return error_set_oom(err);
    return 0;
}

/* Writes the object that registry:2 uses to recognise a session and its age. */
static int note_start(const struct upload *upload, struct error *err)
{
    struct key key = key_upload(upload->name, upload->id, "startedat");
    char text[RFC3339_SIZE];

    rfc3339_format(time(NULL), text);
    return storage_note(upload->store->storage, key.text, text, strlen(text), err);
}

/* Removes the start time first, so that no other request resumes the session. */
static int remove_noted_session(const struct upload *upload, struct error *err)
{
    struct key start = key_upload(upload->name, upload->id, "startedat"),
               all = key_upload(upload->name, upload->id, "");
    const char *keys[] = {start.text, all.text};
    int r = storage_remove(upload->store->storage, keys, 1, err);

    if (r == 0 && upload->session)
        r = storage_upload_discard(upload->session, err);
    return r < 0 ? r : storage_remove(upload->store->storage, keys + 1, 1, err);
}

int upload_remove_session(const struct upload *upload, struct error *err)
{
    if (!storage_dates_uploads(upload->store->storage))
        return remove_noted_session(upload, err);
    return upload->session ? storage_upload_discard(upload->session, err) : 0;
}

int store_upload_create(struct store *store, const char *name, enum digest_algorithm algorithm,
                        struct upload **ret, struct error *err)
{
    CLEANUP(upload_releasep) struct upload *upload = NULL;
    char id[RANDOM_UUID_SIZE];
    int r;

    random_uuid(id);
    upload = upload_new(store, name, id);
    if (!upload)
        return error_set_oom(err);
    upload->is_over = true; /* until the session exists */
    if (upload_hash_new(algorithm, &upload->hash) < 0)
        return error_set_oom(err);
    r = open_session(upload, STORAGE_UPLOAD_NEW, 0, err);
    if (r == 0 && !storage_dates_uploads(store->storage))
        r = note_start(upload, err);
    if (r > 0)
        r = error_set(err, EEXIST, "the upload %s of %s already exists", id, name);
    if (r < 0) {
        if (upload->session)
            (void)upload_remove_session(upload, NULL);
        return r;
    }
    upload->is_over = false;
    *ret = steal_ptr(&upload);
    return 0;
}

/* How many bytes a session has. STORE_NOT_FOUND. */
static int find_size(struct store *store, const char *name, const char *id, uint64_t *ret,
                     struct error *err)
{
    struct key data = key_upload(name, id, "data");
    int64_t started_s;

    return store_outcome(storage_upload_head(store->storage, data.text, ret, &started_s, err));
}

/* Whether there is a session. STORE_NOT_FOUND. */
static int find_session(struct store *store, const char *name, const char *id, struct error *err)
{
    struct key start = key_upload(name, id, "startedat");
    struct storage_object object;
    uint64_t size;

    if (storage_dates_uploads(store->storage))
        return find_size(store, name, id, &size, err);
    return store_outcome(storage_head(store->storage, start.text, STORAGE_MAY_WAIT, &object, err));
}

/* registry:2 creates the data object with the first byte, so it may be missing. */
static int resume_noted(struct upload *upload, struct error *err)
{
    int r = STORAGE_CONFLICT;

    for (int try = 0; r == STORAGE_CONFLICT && try < MAX_TRIES; try++) {
        r = open_session(upload, STORAGE_UPLOAD_RESUME, 0, err);
        if (r != STORAGE_NOT_FOUND)
            break;
        /* The previous holder of the claim may have ended the session since the first check. */
        r = find_session(upload->store, upload->name, upload->id, err);
        if (r != 0)
            return r;
        r = open_session(upload, STORAGE_UPLOAD_NEW, 0, err);
    }
    if (r != 0)
        return r < 0 ? r : STORE_BUSY;
    return find_session(upload->store, upload->name, upload->id, err);
}

static int resume(struct upload *upload, struct error *err)
{
    int r;

    if (!storage_dates_uploads(upload->store->storage))
        return resume_noted(upload, err);
    r = open_session(upload, STORAGE_UPLOAD_RESUME, 0, err);
    return r <= 0 ? r : r == STORAGE_NOT_FOUND ? STORE_NOT_FOUND : STORE_BUSY;
}

int store_upload_open(struct store *store, const char *name, const char *id, struct upload **ret,
                      struct error *err)
{
    CLEANUP(upload_releasep) struct upload *upload = NULL;
    int r = storage_dates_uploads(store->storage) ? 0 : find_session(store, name, id, err);

    if (r != 0)
        return r;
    upload = upload_new(store, name, id);
    if (!upload)
        return error_set_oom(err);
    r = resume(upload, err);
    if (r != 0)
        return r;
    *ret = steal_ptr(&upload);
    return 0;
}

int store_upload_stat(struct store *store, const char *name, const char *id, uint64_t *ret_size,
                      struct error *err)
{
    uint64_t size = 0;
    bool is_noted = !storage_dates_uploads(store->storage);
    int r = is_noted ? find_session(store, name, id, err) : 0;

    if (r == 0)
        r = find_size(store, name, id, &size, err);
    /* registry:2 creates the data object with the first byte: 0 if it is missing */
    if (r == STORE_NOT_FOUND)
        r = is_noted ? find_session(store, name, id, err) : r;
    if (r == 0)
        *ret_size = size;
    return r;
}

/* --- writing ----------------------------------------------------------------------------- */

const char *upload_get_id(const struct upload *upload)
{
    return upload->id;
}

uint64_t upload_get_size(const struct upload *upload)
{
    return upload->size;
}

/* Whether the upload has a block, or gets one now. */
static bool has_block(struct upload *upload)
{
    if (upload->block || !upload->is_large)
        return upload->block;
    if (__atomic_add_fetch(&upload->store->blocks, 1, __ATOMIC_RELAXED) <= BLOCKS_MAX)
        upload->block = malloc(BLOCK_SIZE);
    if (!upload->block)
        __atomic_sub_fetch(&upload->store->blocks, 1, __ATOMIC_RELAXED);
    return upload->block;
}

/* Gathers data in a block, which ends at a multiple of BLOCK_SIZE in the session. */
static int gather(struct upload *upload, const char *data, size_t size, struct error *err)
{
    int r = 0;

    while (r == 0 && size > 0) {
        size_t room = BLOCK_SIZE - (size_t)((upload->size + upload->held) % BLOCK_SIZE),
               n = size < room ? size : room;

        memcpy(upload->block + upload->held, data, n);
        upload->held += n;
        data += n;
        size -= n;
        if (n == room)
            r = flush(upload, err);
    }
    return r;
}

int upload_flush(struct upload *upload, struct error *err)
{
    return flush(upload, err);
}

int upload_keep(struct upload *upload, struct error *err)
{
    int r = flush(upload, err);

    if (r == 0)
        r = storage_upload_keep(upload->session, err);
    if (r <= 0)
        return r;
    return fail_lost(upload, err);
}

int upload_write(struct upload *upload, const void *data, size_t size, struct error *err)
{
    if (size == 0)
        return 0;
    if (has_block(upload))
        return gather(upload, data, size, err);
    upload->is_large = upload->is_large || upload->size % BLOCK_SIZE + size >= BLOCK_SIZE;
    return append(upload, data, size, err);
}

bool upload_would_wait(const struct upload *upload, size_t size)
{
    return storage_upload_would_wait(upload->session, upload->held + size);
}

void upload_set_owner(struct upload *upload, uint64_t owner)
{
    if (upload->session)
        upload->session->owner = owner;
}

static int reserve(struct upload *upload, size_t size, struct error *err)
{
    int r = storage_upload_reserve(upload->session, size, STORAGE_MUST_NOT_WAIT, err);

    if (r <= 0)
        return r;
    return r == STORAGE_WOULD_WAIT ? STORE_BUSY : fail_lost(upload, err);
}

int upload_reserve(struct upload *upload, size_t size, struct error *err)
{
    return reserve(upload, upload->held + size, err);
}

int upload_prepare_end(struct upload *upload, struct error *err)
{
    int r = flush(upload, err);

    return r == 0 ? reserve(upload, 0, err) : r;
}

bool upload_notify(struct upload *upload, void (*ready)(void *object), void *object)
{
    return storage_upload_notify(upload->session, ready, object);
}

int upload_cancel(struct upload *upload, struct error *err)
{
    int r = upload_remove_session(upload, err);

    upload->is_over = r == 0;
    return r;
}
