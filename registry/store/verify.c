#include "registry/store/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/store/store-private.h"

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

static int verify_link(struct verification *verification, const char *name, const char *kind, const struct digest *digest,
                       struct error *err)
{
    struct driver *driver = verification->store->driver;
    struct key data = key_blob(digest);
    struct driver_stat st;
    int r = driver->type->stat(driver, data.text, &st, err);

    if (r == DRIVER_NOT_FOUND) {
        verification->result.missing++;
        say(verification, "missing: sha256:%s, a %s of %s", digest->hex, kind, name);
    }
    return r < 0 ? r : 0;
}

static int verify_links(struct verification *verification, const char *name, const char *kind, const struct key *folder,
                        struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_list_digests(verification->store, folder, DIGEST_SHA256, &digests, err);

    for (size_t i = 0; r == 0 && i < digests.count; i++)
        r = verify_link(verification, name, kind, &digests.items[i], err);
    return r;
}

static int verify_repositories(struct verification *verification, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    int r = store_list_repositories(verification->store, NULL, SIZE_MAX, &names, err);

    for (size_t i = 0; r == 0 && i < names.count; i++) {
        struct key layers = key_layers(names.items[i], DIGEST_SHA256);
        struct key revisions = key_revisions(names.items[i], DIGEST_SHA256);

        r = verify_links(verification, names.items[i], "blob", &layers, err);
        if (r == 0)
            r = verify_links(verification, names.items[i], "manifest", &revisions, err);
    }
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
