/*
 * Turns an upload session into a blob.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/blob-bytes.h"
#include "registry/core/upload-private.h"

enum { READ_SIZE = 256 << 10, MAX_TRIES = 10 };

static int read_again(struct upload *upload, enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(upload_hash_done) struct upload_hash hash = {0};
    CLEANUP_FREE char *buffer = malloc(READ_SIZE);

    if (!buffer || upload_hash_new(algorithm, &hash) < 0)
        return error_set_oom(err);
    while (hash.hashed < upload->size) {
        ssize_t n = storage_upload_read(upload->session, hash.hashed, buffer, READ_SIZE);

        if (n <= 0)
            return error_set_errno(err, n < 0 ? (int)-n : EIO,
                                   "cannot read the upload %s of %s again", upload->id,
                                   upload->name);
        upload_hash_write(&hash, buffer, (size_t)n);
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
        if (r == 0)
            store_note_checked(upload->store, canonical);
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
    (void)upload_remove_session(upload, NULL); /* best effort: the purge removes the rest */
    store_report_event(upload->store, &(struct event){.kind = EVENT_PUSH_BLOB,
                                                      .repository = upload->name,
                                                      .digest = expected,
                                                      .size = upload->size,
                                                      .actor = actor});
    return 0;
}
