#include "registry/core/verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/store-private.h"

enum { READ_SIZE = 1 << 20 };

struct verification {
    struct store *store;
    const struct verify_options *options;
    char *buffer; /* of READ_SIZE bytes */
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

/* --- bytes ----------------------------------------------------------------------------------- */

static void note_damage(struct verification *verification, const struct digest *digest, const char *what)
{
    verification->result.damaged++;
    say(verification, "damaged: sha256:%s: %s", digest->hex, what);
}

static int hash_all(struct verification *verification, struct store_reader *reader, struct digest *ret, ssize_t *ret_end,
                    struct error *err)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    uint64_t offset = 0;
    ssize_t n;

    if (hasher_new(DIGEST_SHA256, &hasher) < 0)
        return error_set_oom(err);
    while ((n = store_reader_read(reader, offset, verification->buffer, READ_SIZE)) > 0) {
        hasher_write(hasher, verification->buffer, (size_t)n);
        offset += (uint64_t)n;
    }
    hasher_get(hasher, ret);
    verification->result.bytes += offset;
    *ret_end = n;
    return 0;
}

static int verify_blob(struct verification *verification, const struct digest *digest, struct error *err)
{
    const struct store_blob blob = {.canonical = *digest};
    struct store_reader *reader;
    struct digest found;
    struct error why = {0};
    ssize_t end = 0;
    int r = store_open_blob(verification->store, &blob, &reader, &why);

    if (r == STORE_NOT_FOUND) /* an empty folder, or removed just now */
        return 0;
    verification->result.blobs++;
    if (r < 0) {
        note_damage(verification, digest, why.text);
        return 0;
    }
    r = hash_all(verification, reader, &found, &end, err);
    store_reader_close(reader);
    if (r == 0 && end < 0)
        note_damage(verification, digest, strerror((int)-end));
    else if (r == 0 && !digest_is_equal(&found, digest))
        note_damage(verification, digest, "its bytes have another digest");
    return r;
}

static int verify_folder(void *object, const struct key *folder, struct error *err)
{
    struct verification *verification = object;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_list_digests(verification->store, folder, DIGEST_SHA256, &digests, err);

    for (size_t i = 0; r == 0 && i < digests.count; i++)
        r = verify_blob(verification, &digests.items[i], err);
    return r;
}

/* --- links ----------------------------------------------------------------------------------- */

static void note_wrong(struct verification *verification, const struct key *link, const char *what)
{
    verification->result.wrong++;
    say(verification, "wrong: %s: %s", link->text, what);
}

/* The digest in a link: 0, STORE_NOT_FOUND where there is none or where it was said what is wrong with it, or negative. */
static int read_link(struct verification *verification, const struct key *link, struct digest *ret, struct error *err)
{
    int r = link_read_strictly(verification->store->driver, link, ret, err);

    if (r == LINK_EMPTY)
        note_wrong(verification, link, "it is empty, as after a power failure");
    else if (r == -EBADMSG || r == -EFBIG)
        note_wrong(verification, link, "it holds no digest");
    return r == 0 ? 0 : r > 0 || r == -EBADMSG || r == -EFBIG ? STORE_NOT_FOUND : r;
}

/* A link in a folder that a digest names, to bytes of kind. */
static int verify_link(struct verification *verification, const char *name, const char *kind, const struct key *link,
                       const struct digest *digest, struct error *err)
{
    struct driver *driver = verification->store->driver;
    struct digest canonical;
    struct driver_stat st;
    struct key data;
    int r = read_link(verification, link, &canonical, err);

    if (r != 0)
        return r < 0 ? r : 0;
    if (canonical.algorithm != DIGEST_SHA256 ||
        (digest->algorithm == DIGEST_SHA256 && !digest_is_equal(&canonical, digest))) {
        note_wrong(verification, link, "it holds another digest than its folder is named by");
        return 0;
    }
    data = key_blob(&canonical);
    r = driver->type->stat(driver, data.text, &st, err);
    if (r == DRIVER_NOT_FOUND) {
        verification->result.missing++;
        say(verification, "missing: sha256:%s, a %s of %s", canonical.hex, kind, name);
    }
    return r < 0 ? r : 0;
}

static int verify_blobs_of(struct verification *verification, const char *name, enum digest_algorithm algorithm,
                           struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct key folder = key_layers(name, algorithm);
    int r = store_list_digests(verification->store, &folder, algorithm, &digests, err);

    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        struct key link = key_layer(name, &digests.items[i]);

        r = verify_link(verification, name, "blob", &link, &digests.items[i], err);
    }
    return r < 0 ? r : 0;
}

static int verify_manifests_of(struct verification *verification, const char *name, enum digest_algorithm algorithm,
                               struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct key folder = key_revisions(name, algorithm);
    int r = store_list_digests(verification->store, &folder, algorithm, &digests, err);

    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        struct key link = key_revision(name, &digests.items[i], "link");

        r = verify_link(verification, name, "manifest", &link, &digests.items[i], err);
    }
    return r < 0 ? r : 0;
}

static int verify_tags_of(struct verification *verification, const char *name, struct error *err)
{
    CLEANUP(folder_names_done) struct folder_names tags = {0};
    int r = store_list_tag_folders(verification->store, name, &tags, err);

    for (size_t i = 0; r >= 0 && i < tags.count; i++) {
        struct key link = key_tag_current(name, tags.names[i]->text);
        struct digest digest, canonical;

        r = read_link(verification, &link, &digest, err);
        if (r == 0)
            r = store_find_revision(verification->store, name, &digest, &canonical, err);
        else
            continue;
        if (r > 0) {
            verification->result.missing++;
            say(verification, "missing: %s:%s, the tag %s of %s", digest_algorithm_name(digest.algorithm), digest.hex,
                tags.names[i]->text, name);
        }
        r = r == -EBADMSG ? 0 : r; /* that is said of the manifest's own link */
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
    int r = store_list_repositories(verification->store, NULL, SIZE_MAX, &names, err);

    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = verify_repository(verification, names.items[i], err);
    return r;
}

int store_verify(struct store *store, const struct verify_options *options, struct verify_result *ret,
                 struct error *err)
{
    CLEANUP_FREE char *buffer = malloc(READ_SIZE);
    struct verification verification = {.store = store, .options = options, .buffer = buffer};
    int r;

    if (!buffer)
        return error_set_oom(err);
    r = store_for_each_folder(store, KEY_BLOBS, verify_folder, &verification, err);
    if (r == 0)
        r = verify_repositories(&verification, err);
    if (r == 0)
        *ret = verification.result;
    return r;
}
