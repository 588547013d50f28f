/*
 * Copies one repository. Its tags are listed before its manifests, and those before its blobs, but
 * written in the opposite order. So whatever is pushed meanwhile, everything that a copied tag
 * leads to is copied, too, or was deleted since.
 */
#include "registry/core/copy-repository.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/store-private.h"
#include "registry/spec/manifest.h"

const enum digest_algorithm copy_algorithms[COPY_ALGORITHMS] = {DIGEST_SHA256, DIGEST_SHA512};

static void repository_done(struct copy_repository *repository)
{
    copy_content_done(&repository->from);
    copy_content_done(&repository->to);
    copy_table_done(&repository->done);
    free(repository->tags);
}

/* --- what there is --------------------------------------------------------------------------- */

void copy_content_done(struct copy_content *content)
{
    storage_list_done(&content->tags);
    for (size_t i = 0; i < COPY_ALGORITHMS; i++) {
        store_digests_done(&content->revisions[i]);
        store_digests_done(&content->layers[i]);
    }
}

static int list_revisions(struct store *store, const char *name, struct copy_content *content,
                          struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < COPY_ALGORITHMS; i++) {
        struct key prefix = key_revisions(name, copy_algorithms[i]);

        r = store_list_digests(store, &prefix, copy_algorithms[i], &content->revisions[i], err);
    }
    return r;
}

static int list_layers(struct store *store, const char *name, struct copy_content *content,
                       struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < COPY_ALGORITHMS; i++) {
        struct key prefix = key_layers(name, copy_algorithms[i]);

        r = store_list_digests(store, &prefix, copy_algorithms[i], &content->layers[i], err);
    }
    return r;
}

int copy_has_link(struct store *store, const struct key *link, struct error *err)
{
    struct storage_object object;
    int r = storage_head(store->storage, link->text, STORAGE_MAY_WAIT, &object, err);

    return r < 0 ? r : r == 0 && object.size > 0;
}

void copy_report_link(const struct copy *copy, const struct key *link, const char *why)
{
    copy_report_damage(copy->report, "not copied: %s: %s", link->text, why);
}

int copy_read_link(const struct copy *copy, const struct key *link, struct digest *ret,
                   struct error *err)
{
    int r = link_read_strictly(copy->from->storage, link, ret, err);

    if (r == LINK_EMPTY)
        copy_report_link(copy, link, "it is empty, as after a power failure");
    else if (r < 0 && copy_is_damage(copy->from, r))
        copy_report_link(copy, link, err->text);
    else
        return r;
    return STORAGE_NOT_FOUND;
}

static int list_source(struct copy_repository *repository, struct error *err)
{
    struct store *from = repository->copy->from;
    int r = store_list_tag_entries(from, repository->name, &repository->from.tags, err);

    if (r >= 0)
        r = copy_read_tags(repository, err);
    if (r == 0)
        r = list_revisions(from, repository->name, &repository->from, err);
    return r < 0 ? r : list_layers(from, repository->name, &repository->from, err);
}

int copy_list_content(struct store *store, const char *name, struct copy_content *content,
                      struct error *err)
{
    int r = store_list_tag_entries(store, name, &content->tags, err);

    if (r >= 0)
        r = list_revisions(store, name, content, err);
    return r < 0 ? r : list_layers(store, name, content, err);
}

/* --- one repository -------------------------------------------------------------------------- */

int copy_one_repository(const struct copy *copy, const char *name, struct error *err)
{
    CLEANUP(repository_done) struct copy_repository repository = {.copy = copy, .name = name};
    int r;

    copy_table_init(&repository.done);
    r = list_source(&repository, err);
    if (r == 0)
        r = copy_list_content(copy->to, name, &repository.to, err);
    if (r == 0)
        r = copy_manifests(&repository, err);
    if (r == 0)
        r = copy_layers(&repository, err);
    if (r == 0)
        r = copy_tags(&repository, err);
    if (r == 0)
        r = copy_repository_records(copy, name, err);
    return r < 0 ? r : copy_remove_surplus(copy, name, &repository.to, &repository.from, err);
}

/* Adds a manifest that is new, and its blobs. What cannot be read is reported when it is copied. */
static int count_manifest(const struct copy *copy, const char *name, const struct digest *digest,
                          struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct digest canonical;
    struct error ignored;
    int r = 0;

    if (store_get_manifest(copy->from, name, digest, STORE_MAY_WAIT, &content, &ignored) != 0)
        return 0;
    if (digest_of(DIGEST_SHA256, content.bytes, content.size, &canonical) == 0)
        r = copy_blobs_expect(copy->blobs, &canonical, content.size);
    if (manifest_parse(content.media_type, content.bytes, content.size, &manifest, &ignored) != 0)
        return r < 0 ? error_set_oom(err) : 0;
    for (size_t i = 0; r == 0 && i < manifest.blobs.count; i++) {
        const struct manifest_descriptor *blob = &manifest.blobs.items[i];

        if (!blob->is_elsewhere && blob->digest.algorithm == DIGEST_SHA256)
            r = copy_blobs_expect(copy->blobs, &blob->digest, blob->size);
    }
    return r < 0 ? error_set_oom(err) : 0;
}

int copy_count_repository(const struct copy *copy, const char *name, struct error *err)
{
    CLEANUP(copy_content_done) struct copy_content from = {0};
    CLEANUP(copy_content_done) struct copy_content to = {0};
    int r = list_revisions(copy->from, name, &from, err);

    if (r == 0)
        r = list_revisions(copy->to, name, &to, err);
    for (size_t i = 0; r == 0 && i < COPY_ALGORITHMS; i++)
        for (size_t j = 0; r == 0 && j < from.revisions[i].count; j++)
            if (!store_digests_has(&to.revisions[i], &from.revisions[i].items[j]))
                r = count_manifest(copy, name, &from.revisions[i].items[j], err);
    return r;
}

int copy_put(const struct copy *copy, const char *key, const void *bytes, size_t size,
             struct error *err)
{
    const struct storage_step step = {.kind = STORAGE_PUT, .key = key, .data = bytes, .size = size};
    CLEANUP_FREE char *there = NULL;
    size_t there_size;
    int r = storage_get(copy->to->storage, key, size, STORAGE_MAY_WAIT, &there, &there_size, err);

    if (r == 0 && there_size == size && memcmp(there, bytes, size) == 0)
        return 0;
    if (r < 0 && r != -EFBIG)
        return r;
    r = storage_write(copy->to->storage, &step, 1, err);
    if (r == 0)
        copy_report_count(copy->report, &copy->report->result.links);
    return r < 0 ? r : 0;
}
