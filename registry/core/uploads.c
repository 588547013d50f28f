/*
 * Uploads. What comes in is appended to a file of the session, and its digest is computed on the
 * way. A digest is only ever that of the bytes that lie there: where others may have written some of
 * them (registry:2, ourselves before a restart) all are read again before the session becomes a blob.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/random.h"
#include "registry/core/store-private.h"
#include "registry/core/upload-states.h"

/*
 * A request is answered before it lets go of its session, so the client's next one may well be here
 * first; one whose connection broke is noticed later than its successor comes.
 */
enum { PATIENCE_MS = 1000 };

enum { READ_SIZE = 256 << 10, ID_SIZE = RANDOM_UUID_SIZE };

/*
 * Bytes come in pieces of any size, such as TLS has. A kernel takes whole pages, and many at once, in half the time or
 * less; so who sends more than a block has one to gather them in, as long as there are BLOCKS_MAX at most.
 */
enum { BLOCK_SIZE = 64 << 10, BLOCKS_MAX = 256 };

struct upload {
    struct store *store;
    struct driver_session *session; /* NULL where there is none, or no more */
    char *name;
    char id[ID_SIZE];
    uint64_t size;
    struct upload_hash hash; /* of all of them, or of nothing: then they are to be read again */
    char *block;             /* NULL where it is not large, or too many have one */
    size_t held;             /* in the block: neither in the session nor in size */
    bool is_large;           /* it was written across the end of a block */
    bool is_claimed;
    bool is_over;            /* committed or cancelled */
};

static const struct driver_type *driver_of(const struct upload *upload)
{
    return upload->store->driver->type;
}

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
    int r = driver_of(upload)->session_append(upload->session, upload->size, data, size, err);

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

void upload_release(struct upload *upload)
{
    if (!upload)
        return;
    if (!upload->is_over)
        (void)flush(upload, NULL); /* of a client that is gone; he asks how far he came */
    drop_block(upload);
    driver_of(upload)->session_close(upload->session);
    if (upload->is_claimed)
        upload_states_release(upload->store->uploads, upload->name, upload->id, &upload->hash, !upload->is_over);
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

/* --- opening ------------------------------------------------------------------------------- */

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

static int open_session(struct upload *upload, struct error *err)
{
    struct key data = key_upload(upload->name, upload->id, "data");

    return driver_of(upload)->session_open(upload->store->driver, data.text, &upload->session, &upload->size, err);
}

/* What was computed of other bytes than lie there now is of no use. */
static int check_hash(struct upload *upload, struct error *err)
{
    if (upload->hash.hashed != upload->size)
        upload_hash_done(&upload->hash);
    if (upload->size == 0 && !upload->hash.sha256 && new_hash(DIGEST_SHA256, &upload->hash) < 0)
        return error_set_oom(err);
    return 0;
}

/* The file by which registry:2 knows a session and its age. */
static int note_start(const struct upload *upload, struct error *err)
{
    struct key key = key_upload(upload->name, upload->id, "startedat");
    time_t now = time(NULL);
    struct tm tm;
    char text[32];

    if (!gmtime_r(&now, &tm))
        return error_set(err, EOVERFLOW, "the clock is wrong");
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return driver_of(upload)->note(upload->store->driver, key.text, text, strlen(text), err);
}

static int remove_session(const struct upload *upload, struct error *err)
{
    struct key folder = key_upload(upload->name, upload->id, "");
    const char *keys[] = {folder.text};

    return driver_of(upload)->remove(upload->store->driver, keys, 1, err);
}

int store_upload_create(struct store *store, const char *name, enum digest_algorithm algorithm, struct upload **ret,
                        struct error *err)
{
    CLEANUP(upload_releasep) struct upload *upload = NULL;
    struct upload_hash nothing;
    char id[RANDOM_UUID_SIZE];
    int r;

    random_uuid(id);
    upload = upload_new(store, name, id);
    if (!upload || upload_states_claim(store->uploads, name, id, 0, &nothing) < 0)
        return error_set_oom(err);
    upload->is_claimed = true;
    upload->is_over = true; /* until it has begun */
    if (new_hash(algorithm, &upload->hash) < 0)
        return error_set_oom(err);
    r = open_session(upload, err);
    if (r == 0)
        r = note_start(upload, err);
    if (r < 0) {
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
    struct driver_stat st;
    int r = store->driver->type->stat(store->driver, start.text, &st, err);

    return r > 0 ? STORE_NOT_FOUND : r;
}

int store_upload_open(struct store *store, const char *name, const char *id, struct upload **ret, struct error *err)
{
    CLEANUP(upload_releasep) struct upload *upload = NULL;
    int r = find_session(store, name, id, err);

    if (r != 0)
        return r;
    upload = upload_new(store, name, id);
    if (!upload)
        return error_set_oom(err);
    r = upload_states_claim(store->uploads, name, id, PATIENCE_MS, &upload->hash);
    if (r < 0)
        return r == -EBUSY ? STORE_BUSY : error_set_oom(err);
    upload->is_claimed = true;
    /* Whoever had the claim before may have ended the session since the first look. */
    r = find_session(store, name, id, err);
    if (r == 0)
        r = open_session(upload, err);
    if (r == 0)
        r = check_hash(upload, err);
    if (r != 0) {
        upload->is_over = r > 0;
        return r;
    }
    *ret = steal_ptr(&upload);
    return 0;
}

int store_upload_stat(struct store *store, const char *name, const char *id, uint64_t *ret_size, struct error *err)
{
    struct key data = key_upload(name, id, "data");
    struct driver_stat st = {0};
    int r = find_session(store, name, id, err);

    if (r != 0)
        return r;
    r = store->driver->type->stat(store->driver, data.text, &st, err);
    if (r < 0)
        return r;
    *ret_size = st.size; /* registry:2 makes the file with the first byte: 0 where there is none */
    return 0;
}

/* --- writing ------------------------------------------------------------------------------- */

const char *upload_get_id(const struct upload *upload)
{
    return upload->id;
}

uint64_t upload_get_size(const struct upload *upload)
{
    return upload->size;
}

/* Whether there is a block to gather in. */
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

/* Blocks end where those of the file end. */
static int gather(struct upload *upload, const char *data, size_t size, struct error *err)
{
    int r = 0;

    while (r == 0 && size > 0) {
        size_t room = BLOCK_SIZE - (size_t)((upload->size + upload->held) % BLOCK_SIZE), n = size < room ? size : room;

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

int upload_write(struct upload *upload, const void *data, size_t size, struct error *err)
{
    if (size == 0)
        return 0;
    if (has_block(upload))
        return gather(upload, data, size, err);
    upload->is_large = upload->is_large || upload->size % BLOCK_SIZE + size >= BLOCK_SIZE;
    return append(upload, data, size, err);
}

/* --- the end ------------------------------------------------------------------------------- */

static int read_again(struct upload *upload, enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(upload_hash_done) struct upload_hash hash = {0};
    CLEANUP_FREE char *buffer = malloc(READ_SIZE);

    if (!buffer || new_hash(algorithm, &hash) < 0)
        return error_set_oom(err);
    while (hash.hashed < upload->size) {
        ssize_t n = driver_of(upload)->session_read(upload->session, hash.hashed, buffer, READ_SIZE);

        if (n <= 0)
            return error_set_errno(err, n < 0 ? (int)-n : EIO, "cannot read the upload %s of %s again", upload->id,
                                   upload->name);
        add_to_hash(&hash, buffer, (size_t)n);
    }
    upload->size = hash.hashed;
    upload_hash_done(&upload->hash);
    upload->hash = hash;
    hash = (struct upload_hash){0};
    return 0;
}

/* 0 with the digest that the blob is to lie under, or STORE_DIGEST_MISMATCH. */
static int verify(struct upload *upload, const struct digest *expected, struct digest *ret_canonical,
                  struct error *err)
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

int upload_commit(struct upload *upload, const struct digest *expected, const char *actor, struct error *err)
{
    struct digest canonical;
    struct driver_change changes[4] = {{0}};
    struct key data, link, alias, alias_link;
    char text[DIGEST_TEXT_SIZE];
    int r = upload_flush(upload, err);

    if (r == 0)
        r = verify(upload, expected, &canonical, err);
    if (r != 0)
        return r;
    data = key_blob(&canonical);
    link = key_layer(upload->name, &canonical);
    alias = key_alias(expected);
    alias_link = key_layer(upload->name, expected);
    digest_format(&canonical, text);
    changes[0] = (struct driver_change){.kind = DRIVER_TAKE, .key = data.text, .session = upload->session};
    changes[1] = (struct driver_change){.kind = DRIVER_PUT, .key = link.text, .data = text, .size = strlen(text)};
    changes[2] = changes[3] = changes[1];
    changes[2].key = alias.text;
    changes[3].key = alias_link.text;
    r = driver_of(upload)->publish(upload->store->driver, changes, digest_is_equal(expected, &canonical) ? 2 : 4,
                                   err);
    if (r < 0)
        return r;
    upload->is_over = true;
    (void)remove_session(upload, NULL); /* what is left of it is purged some day */
    store_report_event(upload->store, &(struct event){.kind = EVENT_PUSH_BLOB, .repository = upload->name,
                                                      .digest = expected, .size = upload->size, .actor = actor});
    return 0;
}

int upload_cancel(struct upload *upload, struct error *err)
{
    int r = remove_session(upload, err);

    upload->is_over = r == 0;
    return r;
}
