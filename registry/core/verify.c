#include "registry/core/verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"
#include "registry/core/blob-bytes.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"

enum { READ_SIZE = 1 << 20 };

struct verification {
    struct store *store;
    const struct verify_options *options;
    char *buffer; /* of READ_SIZE bytes */
    struct progress progress;
    uint64_t all_bytes; /* of the blobs that were counted */
    struct verify_result result;
};

static PRINTF_LIKE(2, 3) void say(const struct verification *verification, const char *format, ...)
{
    char line[1024];
    va_list args;

    if (!verification->options->say)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    verification->options->say(verification->options->object, line);
}

static void show_progress(const struct verification *verification)
{
    if (verification->options->progress)
        verification->options->progress(verification->options->progress_object,
                                        &verification->progress);
}

static void note_wrong(struct verification *verification, const struct key *link, const char *what)
{
    verification->result.wrong++;
    say(verification, "wrong: %s: %s", link->text, what);
}

/* Whether a failure concerns only one key, so that the rest can be verified. */
static bool is_of_one(int r)
{
    return r < 0 && !store_is_general_failure(r);
}

/* A prefix that cannot be listed is reported and counts as empty. */
static int list_digests(struct verification *verification, const struct key *prefix,
                        enum digest_algorithm algorithm, struct store_digests *ret,
                        struct error *err)
{
    int r = store_list_digests(verification->store, prefix, algorithm, ret, err);

    if (!is_of_one(r))
        return r;
    note_wrong(verification, prefix, err->text);
    return 0;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void note_damage(struct verification *verification, const struct digest *digest,
                        const char *what)
{
    verification->result.damaged++;
    say(verification, "damaged: sha256:%s: %s", digest->hex, what);
}

static int hash_all(struct verification *verification, struct store_reader *reader,
                    struct digest *ret, ssize_t *ret_end, struct error *err)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    uint64_t offset = 0;
    ssize_t n;

    if (hasher_new(DIGEST_SHA256, &hasher) < 0)
        return error_set_oom(err);
    while ((n = store_reader_read(reader, offset, verification->buffer, READ_SIZE)) > 0) {
        hasher_write(hasher, verification->buffer, (size_t)n);
        offset += (uint64_t)n;
        verification->progress.bytes_done += (uint64_t)n;
        show_progress(verification);
    }
    hasher_get(hasher, ret);
    verification->result.bytes += offset;
    *ret_end = n;
    return 0;
}

static int verify_blob(struct verification *verification, const struct digest *digest,
                       struct error *err)
{
    struct store_blob blob;
    struct store_reader *reader;
    struct digest found;
    struct error why = {0};
    ssize_t end = 0;
    int r = store_open_bytes(verification->store, digest, STORE_MAY_WAIT, &blob, &reader, &why);

    if (r == STORE_NOT_FOUND) /* an empty prefix, or removed meanwhile */
        return 0;
    verification->result.blobs++;
    verification->progress.done++;
    if (r < 0) {
        note_damage(verification, digest, why.text);
        return 0;
    }
    r = hash_all(verification, reader, &found, &end, err);
    store_reader_close(reader);
    if (r == 0 && end < 0)
        note_damage(verification, digest, strerror((int)-end));
    else if (r == 0 && !digest_is_equal(&found, digest))
        note_damage(verification, digest, "its bytes do not match its digest");
    return r;
}

static int verify_prefix(void *object, const struct key *prefix, struct error *err)
{
    struct verification *verification = object;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = list_digests(verification, prefix, DIGEST_SHA256, &digests, err);

    for (size_t i = 0; r == 0 && i < digests.count; i++)
        r = verify_blob(verification, &digests.items[i], err);
    return r;
}

/* Ignores failures, because reading the blob will report them. */
static int count_prefix(void *object, const struct key *prefix, struct error *err)
{
    struct verification *verification = object;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct error why = {0};
    int r = store_list_digests(verification->store, prefix, DIGEST_SHA256, &digests, &why);

    for (size_t i = 0; r == 0 && i < digests.count; i++) {
        struct key data = key_blob(&digests.items[i]);
        struct storage_object blob = {0};

        if (storage_head(verification->store->storage, data.text, STORAGE_MAY_WAIT, &blob, &why) ==
            0)
            verification->all_bytes += blob.size;
        verification->progress.done++;
        show_progress(verification);
    }
    return r == -ENOMEM ? error_set_oom(err) : 0;
}

/*
 * Counts the blobs and their bytes first, so that the progress shows how much is left. This costs
 * little compared to reading them.
 */
static int count_blobs(struct verification *verification, struct error *err)
{
    int r = 0;

    verification->progress = (struct progress){.step = "counting", .unit = "blobs"};
    if (verification->options->progress)
        r = store_for_each_prefix(verification->store, KEY_BLOBS, count_prefix, verification, err);
    verification->progress = (struct progress){.step = "reading",
                                               .unit = "blobs",
                                               .total = verification->progress.done,
                                               .bytes_total = verification->all_bytes};
    return r;
}

/* --- links ----------------------------------------------------------------------------------- */

/*
 * Reads the digest in a link. Returns 0, STORE_NOT_FOUND if there is no link or if it is invalid,
 * which was reported, or negative.
 */
static int read_link(struct verification *verification, const struct key *link, struct digest *ret,
                     struct error *err)
{
    int r = link_read_strictly(verification->store->storage, link, ret, err);

    if (r == LINK_EMPTY)
        note_wrong(verification, link, "it is empty, as after a power failure");
    else if (r == -EBADMSG || r == -EFBIG)
        note_wrong(verification, link, "it contains no digest");
    else if (is_of_one(r))
        note_wrong(verification, link, err->text);
    return r == 0 ? 0 : r > 0 || is_of_one(r) ? STORE_NOT_FOUND : r;
}

static void show_link(struct verification *verification)
{
    verification->progress.part_done++;
    show_progress(verification);
}

/* Checks a link below a prefix that a digest names. kind says what the bytes are. */
static int verify_link(struct verification *verification, const char *name, const char *kind,
                       const struct key *link, const struct digest *digest, struct error *err)
{
    struct storage_object object;
    struct digest canonical;
    struct key data;
    int r;

    show_link(verification);
    r = read_link(verification, link, &canonical, err);
    if (r != 0)
        return r < 0 ? r : 0;
    if (canonical.algorithm != DIGEST_SHA256 ||
        (digest->algorithm == DIGEST_SHA256 && !digest_is_equal(&canonical, digest))) {
        note_wrong(verification, link, "it does not contain the digest in its path");
        return 0;
    }
    data = key_blob(&canonical);
    r = storage_head(verification->store->storage, data.text, STORAGE_MAY_WAIT, &object, err);
    if (r == STORAGE_NOT_FOUND) {
        verification->result.missing++;
        say(verification, "missing: sha256:%s, a %s of %s", canonical.hex, kind, name);
    }
    return r > 0 || is_of_one(r) ? 0 : r; /* damaged bytes were reported when they were read */
}

static int verify_blobs_of(struct verification *verification, const char *name,
                           enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct key prefix = key_layers(name, algorithm);
    int r = list_digests(verification, &prefix, algorithm, &digests, err);

    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        struct key link = key_layer(name, &digests.items[i]);

        r = verify_link(verification, name, "blob", &link, &digests.items[i], err);
    }
    return r < 0 ? r : 0;
}

static int verify_manifests_of(struct verification *verification, const char *name,
                               enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct key prefix = key_revisions(name, algorithm);
    int r = list_digests(verification, &prefix, algorithm, &digests, err);

    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        struct key link = key_revision(name, &digests.items[i], "link");

        r = verify_link(verification, name, "manifest", &link, &digests.items[i], err);
    }
    return r < 0 ? r : 0;
}

static int verify_tags_of(struct verification *verification, const char *name, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list tags = {0};
    int r = store_list_tag_entries(verification->store, name, &tags, err);

    for (size_t i = 0; r >= 0 && i < tags.count; i++) {
        struct key link = key_tag_current(name, tags.entries[i]->name);
        struct digest digest, canonical;

        show_link(verification);
        r = read_link(verification, &link, &digest, err);
        if (r == 0)
            r = store_find_revision(verification->store, name, &digest, STORE_MAY_WAIT, &canonical,
                                    err);
        else
            continue;
        if (r > 0) {
            verification->result.missing++;
            say(verification, "missing: %s:%s, the tag %s of %s",
                digest_algorithm_name(digest.algorithm), digest.hex, tags.entries[i]->name, name);
        }
        r = is_of_one(r) ? 0 : r; /* this is reported for the manifest's own link */
    }
    return r < 0 ? r : 0;
}

static int verify_repository(struct verification *verification, const char *name, struct error *err)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_SHA512};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(algorithms); i++) {
        r = verify_blobs_of(verification, name, algorithms[i], err);
        if (r == 0)
            r = verify_manifests_of(verification, name, algorithms[i], err);
    }
    return r < 0 ? r : verify_tags_of(verification, name, err);
}

static int verify_repositories(struct verification *verification, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    int r = store_list_repositories(verification->store, NULL, SIZE_MAX, NULL, &names, err);

    if (r == 0 && names.unreadable > 0) {
        verification->result.wrong += names.unreadable;
        say(verification, "wrong: %zu %s below " KEY_REPOSITORIES " cannot be read",
            names.unreadable, words_plural(names.unreadable, "directory", "directories"));
    }

    verification->progress = (struct progress){.step = "checking links",
                                               .unit = "repositories",
                                               .total = names.count,
                                               .part_unit = "links"};
    for (; r == 0 && verification->progress.done < names.count; verification->progress.done++) {
        verification->progress.part_done = 0;
        r = verify_repository(verification, names.items[verification->progress.done], err);
    }
    return r;
}

int store_verify(struct store *store, const struct verify_options *options,
                 struct verify_result *ret, struct error *err)
{
    CLEANUP_FREE char *buffer = malloc(READ_SIZE);
    struct verification verification = {.store = store, .options = options, .buffer = buffer};
    int r;

    if (!buffer)
        return error_set_oom(err);
    r = count_blobs(&verification, err);
    if (r == 0)
        r = store_for_each_prefix(store, KEY_BLOBS, verify_prefix, &verification, err);
    if (r == 0)
        r = verify_repositories(&verification, err);
    if (r == 0)
        *ret = verification.result;
    return r;
}
