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

#include "common/random.h"
#include "common/rfc3339.h"
#include "registry/core/store-private.h"
#include "registry/core/upload-hashes.h"

enum { READ_SIZE = 256 << 10, ID_SIZE = RANDOM_UUID_SIZE, MAX_TRIES = 10 };

/*
 * Bytes arrive in pieces of any size, for example TLS records. Writing many whole pages at once
 * takes half the time or less, so an upload of more than one block gathers pieces in a block. There
 * are at most BLOCKS_MAX blocks.
 */
enum { BLOCK_SIZE = 64 << 10, BLOCKS_MAX = 256 };

struct upload {
    struct store *store;
    struct storage_upload *session; /* NULL: not open */
    char *name;
    char id[ID_SIZE];
    uint64_t size;
    struct upload_hash hash; /* of all bytes; if it is empty, the bytes must be read again */
    char *block;             /* NULL if the upload is small, or if too many uploads have one */
    size_t held;             /* bytes in the block, neither in the session nor in size */
    bool is_large;           /* it has more bytes than one block */
    bool is_over;            /* committed or cancelled */
};

static void add_to_hash(struct upload_hash *hash, const void *data, size_t size)
{
    if (hash->sha256)
        hasher_write(hash->sha256, data, size);
    if (hash->sha512)
        hasher_write(hash->sha512, data, size);
    hash->hashed += size;
}

static int append(struct upload *upload, const void *data, size_t size, struct error *err)
{
    int r = storage_upload_append(upload->session, upload->size, data, size, err);

    if (r > 0)
        return error_set(err, ESTALE,
                         "the upload %s of %s was ended or continued by another request",
                         upload->id, upload->name);
    if (r < 0)
        return r;
    if (upload->hash.sha256)
        add_to_hash(&upload->hash, data, size);
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

static int new_hash(enum digest_algorithm algorithm, struct upload_hash *ret)
{
    struct upload_hash hash = {0};
    int r = hasher_new(DIGEST_SHA256, &hash.sha256);

    if (r == 0 && algorithm == DIGEST_SHA512)
        r = hasher_new(DIGEST_SHA512, &hash.sha512);
    if (r < 0)
        upload_hash_done(&hash);
    else
        *ret = hash;
    return r;
}

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
    if (upload->size == 0 && !upload->hash.sha256 && new_hash(DIGEST_SHA256, &upload->hash) < 0)
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
static int remove_session(const struct upload *upload, struct error *err)
{
    struct key start = key_upload(upload->name, upload->id, "startedat"),
               all = key_upload(upload->name, upload->id, "");
    const char *keys[] = {start.text, all.text};
    int r = storage_remove(upload->store->storage, keys, 1, err);

    if (r == 0 && upload->session)
        r = storage_upload_discard(upload->session, err);
    return r < 0 ? r : storage_remove(upload->store->storage, keys + 1, 1, err);
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
    if (new_hash(algorithm, &upload->hash) < 0)
        return error_set_oom(err);
    r = open_session(upload, STORAGE_UPLOAD_NEW, 0, err);
    if (r == 0)
        r = note_start(upload, err);
    if (r > 0)
        r = error_set(err, EEXIST, "the upload %s of %s already exists", id, name);
    if (r < 0) {
        if (upload->session)
            (void)remove_session(upload, NULL);
        return r;
    }
    upload->is_over = false;
    *ret = steal_ptr(&upload);
    return 0;
}

static int find_session(struct store *store, const char *name, const char *id, struct error *err)
{
    struct key start = key_upload(name, id, "startedat");
    struct storage_object object;

    return store_outcome(storage_head(store->storage, start.text, STORAGE_MAY_WAIT, &object, err));
}

/* registry:2 creates the data object with the first byte, so it may be missing. */
static int resume(struct upload *upload, struct error *err)
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
    return r > 0 ? STORE_BUSY : r;
}

int store_upload_open(struct store *store, const char *name, const char *id, struct upload **ret,
                      struct error *err)
{
    CLEANUP(upload_releasep) struct upload *upload = NULL;
    int r = find_session(store, name, id, err);

    if (r != 0)
        return r;
    upload = upload_new(store, name, id);
    if (!upload)
        return error_set_oom(err);
    r = resume(upload, err);
    if (r == 0)
        r = find_session(store, name, id, err);
    if (r != 0)
        return r;
    *ret = steal_ptr(&upload);
    return 0;
}

int store_upload_stat(struct store *store, const char *name, const char *id, uint64_t *ret_size,
                      struct error *err)
{
    struct key data = key_upload(name, id, "data");
    uint64_t size = 0;
    int r = find_session(store, name, id, err);

    if (r != 0)
        return r;
    r = storage_upload_head(store->storage, data.text, &size, err);
    if (r < 0)
        return r;
    /* registry:2 creates the data object with the first byte: 0 if it is missing */
    *ret_size = size;
    return 0;
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
    return error_set(err, ESTALE, "the upload %s of %s was ended or continued by another request",
                     upload->id, upload->name);
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

/* --- committing -------------------------------------------------------------------------- */

static int read_again(struct upload *upload, enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(upload_hash_done) struct upload_hash hash = {0};
    CLEANUP_FREE char *buffer = malloc(READ_SIZE);

    if (!buffer || new_hash(algorithm, &hash) < 0)
        return error_set_oom(err);
    while (hash.hashed < upload->size) {
        ssize_t n = storage_upload_read(upload->session, hash.hashed, buffer, READ_SIZE);

        if (n <= 0)
            return error_set_errno(err, n < 0 ? (int)-n : EIO,
                                   "cannot read the upload %s of %s again", upload->id,
                                   upload->name);
        add_to_hash(&hash, buffer, (size_t)n);
    }
    upload->size = hash.hashed;
    upload_hash_done(&upload->hash);
    upload->hash = hash;
    hash = (struct upload_hash){0};
    return 0;
}

/* Returns 0 with the digest under which the blob will be stored, or STORE_DIGEST_MISMATCH. */
static int verify(struct upload *upload, const struct digest *expected,
                  struct digest *ret_canonical, struct error *err)
{
    struct upload_hash *hash = &upload->hash;
    struct digest canonical, found;
    int r = 0;

    if (!hash->sha256 || (expected->algorithm == DIGEST_SHA512 && !hash->sha512))
        r = read_again(upload, expected->algorithm, err);
    if (r < 0)
        return r;
    hasher_get(hash->sha256, &canonical);
    found = canonical;
    if (expected->algorithm == DIGEST_SHA512)
        hasher_get(hash->sha512, &found);
    if (!digest_is_equal(&found, expected))
        return STORE_DIGEST_MISMATCH;
    *ret_canonical = canonical;
    return 0;
}

/* The writes of a commit: the bytes (or a refresh of existing ones), then the links to them. */
struct commit {
    struct key data, link, alias, alias_link;
    char text[DIGEST_TEXT_SIZE];
    struct storage_step steps[4];
    size_t count;
};

static void commit_init(struct commit *commit, const struct upload *upload,
                        const struct digest *expected, const struct digest *canonical)
{
    struct storage_step put = {.kind = STORAGE_PUT, .data = commit->text};

    commit->data = key_blob(canonical);
    commit->link = key_layer(upload->name, canonical);
    commit->alias = key_alias(expected);
    commit->alias_link = key_layer(upload->name, expected);
    digest_format(canonical, commit->text);
    put.size = strlen(commit->text);
    commit->steps[0] = (struct storage_step){.key = commit->data.text, .upload = upload->session};
    commit->steps[1] = commit->steps[2] = commit->steps[3] = put;
    commit->steps[1].key = commit->link.text;
    commit->steps[2].key = commit->alias.text;
    commit->steps[3].key = commit->alias_link.text;
    commit->count = digest_is_equal(expected, canonical) ? 2 : 4;
}

/*
 * Keeps existing bytes if they match the digest, and removes them if they are damaged, because a
 * blob is never replaced. Returns 0, STORE_NOT_FOUND if they no longer exist, or negative.
 */
static int keep_existing(struct upload *upload, const struct digest *canonical, struct error *err)
{
    struct store_blob blob;
    int r = store_check_existing(upload->store, canonical, upload->size, &blob, err);

    if (r != STORE_DIGEST_MISMATCH)
        return r;
    r = storage_remove_if_unchanged(upload->store->storage, key_blob(canonical).text, &blob.version,
                                    err);
    return r < 0 ? r : STORE_NOT_FOUND;
}

/*
 * Tries again if another request uploads the same blob, or garbage collection removes it, at the
 * same time.
 */
static int publish(struct upload *upload, const struct digest *expected,
                   const struct digest *canonical, struct error *err)
{
    struct storage *storage = upload->store->storage;
    struct commit commit;

    commit_init(&commit, upload, expected, canonical);
    for (int try = 0; try < MAX_TRIES; try++) {
        int r;

        commit.steps[0].kind = STORAGE_PUBLISH;
        r = storage_write(storage, commit.steps, commit.count, err);
        if (r == STORAGE_CLAIM_LOST)
            return error_set(err, ESTALE, "the upload %s of %s was ended by another request",
                             upload->id, upload->name);
        if (r != STORAGE_CONFLICT)
            return r;
        commit.steps[0].kind = STORAGE_KEEP;
        r = keep_existing(upload, canonical, err);
        if (r == 0)
            r = storage_write(storage, commit.steps, commit.count, err);
        if (r <= 0)
            return r;
    }
    return error_set(err, EAGAIN,
                     "the blob sha256:%s is uploaded and removed again and again; try again later",
                     canonical->hex);
}

int upload_commit(struct upload *upload, const struct digest *expected, const char *actor,
                  struct error *err)
{
    struct digest canonical;
    int r = upload_flush(upload, err);

    if (r == 0)
        r = verify(upload, expected, &canonical, err);
    if (r == 0)
        r = quota_charge(upload->store, upload->name, &canonical, upload->size, err);
    if (r == 0)
        r = publish(upload, expected, &canonical, err);
    if (r != 0)
        return r;
    upload->is_over = true;
    (void)remove_session(upload, NULL); /* best effort: the purge removes the rest */
    store_report_event(upload->store, &(struct event){.kind = EVENT_PUSH_BLOB,
                                                      .repository = upload->name,
                                                      .digest = expected,
                                                      .size = upload->size,
                                                      .actor = actor});
    return 0;
}

int upload_cancel(struct upload *upload, struct error *err)
{
    int r = remove_session(upload, err);

    upload->is_over = r == 0;
    return r;
}
