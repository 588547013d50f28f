/*
 * Copies the blobs and manifests of a repository: what a manifest names before the manifest.
 */
#include <errno.h>
#include <string.h>

#include "registry/core/copy-repository.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"
#include "registry/spec/manifest.h"

enum {
    DEPTH_MAX = 8, /* of indexes in indexes */
    STEPS_MAX = 5,
};

/*
 * Whether the destination has the link to a blob. A bucket lists only what exists; a directory may
 * be empty. 1, 0 or negative.
 */
static int has_layer(const struct copy_repository *repository, const struct store_digests *list,
                     const struct digest *digest, const struct key *link, struct error *err)
{
    struct store *to = repository->copy->to;

    if (!store_digests_has(list, digest))
        return 0;
    return store_is_remote(to) ? 1 : copy_has_link(to, link, err);
}

/*
 * Something was missing: nothing is wrong if the link to it was deleted, too, since it was read.
 * 0 or negative.
 */
static int judge_missing(const struct copy_repository *repository, const struct key *link,
                         const struct copy_blob *blob, struct error *err)
{
    int r = copy_has_link(repository->copy->from, link, err);

    if (r > 0)
        copy_blobs_report_missing(repository->copy->blobs, blob);
    return r < 0 ? r : 0;
}

/* --- blobs ----------------------------------------------------------------------------------- */

/* 0, STORAGE_NOT_FOUND if the link is wrong, which was reported, or negative. */
static int check_layer(const struct copy_repository *repository, const struct key *link,
                       const struct digest *digest, const struct digest *canonical,
                       struct error *err)
{
    struct key alias = key_alias(digest);
    struct digest known;
    int r = 0;

    if (canonical->algorithm != DIGEST_SHA256 ||
        (digest->algorithm == DIGEST_SHA256 && !digest_is_equal(digest, canonical))) {
        copy_report_link(repository->copy, link, "it does not contain the digest in its path");
        return STORAGE_NOT_FOUND;
    }
    if (digest->algorithm == DIGEST_SHA256)
        return 0;
    r = link_read(repository->copy->to->storage, &alias, STORAGE_MAY_WAIT, &known, err);
    if (r == 0 && digest_is_equal(&known, canonical))
        return 0;
    if (r >= 0)
        r = copy_blobs_check_alias(repository->copy->blobs, digest, canonical, err);
    if (r == COPY_DAMAGED)
        copy_report_link(repository->copy, link, "the bytes do not match the digest in its path");
    return r == COPY_DAMAGED || copy_is_damage(repository->copy->from, r) ? STORAGE_NOT_FOUND
           : r < 0                                                        ? r
                                                                          : 0;
}

static int write_layer(const struct copy_repository *repository, const struct store_digests *there,
                       const struct digest *digest, struct error *err)
{
    struct key link = key_layer(repository->name, digest);
    struct storage_step steps[2] = {{0}, {.kind = STORAGE_PUT, .key = link.text}};
    char text[DIGEST_TEXT_SIZE];
    struct digest canonical;
    const struct copy_blob blob = {.canonical = &canonical, .name = repository->name};
    int r = has_layer(repository, there, digest, &link, err);

    if (r != 0)
        return r < 0 ? r : 0;
    r = copy_read_link(repository->copy, &link, &canonical, err);
    if (r == 0)
        r = check_layer(repository, &link, digest, &canonical, err);
    if (r != 0)
        return r < 0 ? r : 0;
    digest_format(&canonical, text);
    steps[1].data = text;
    steps[1].size = strlen(text);
    r = copy_blobs_write(repository->copy->blobs, &blob, steps, ARRAY_SIZE(steps), err);
    if (r == COPY_MISSING)
        r = judge_missing(repository, &link, &blob, err);
    return r < 0 ? r : 0;
}

/*
 * Copies a blob and the repository's link to it, once for all manifests that name it. 0 or
 * negative.
 */
static int copy_layer(struct copy_repository *repository, const struct store_digests *there,
                      const struct digest *digest, struct error *err)
{
    enum copy_state state;
    int r;

    if (!copy_table_begin(&repository->done, digest, &state))
        return state == COPY_BUSY ? error_set_oom(err) : 0;
    r = write_layer(repository, there, digest, err);
    copy_table_end(&repository->done, digest, r < 0 ? COPY_UNKNOWN : COPY_THERE);
    return r;
}

struct layers {
    struct copy_repository *repository;
    size_t algorithm;
};

static int copy_one_layer(void *object, size_t index, struct error *err)
{
    const struct layers *layers = object;
    struct copy_repository *repository = layers->repository;

    return copy_layer(repository, &repository->to.layers[layers->algorithm],
                      &repository->from.layers[layers->algorithm].items[index], err);
}

/* Those of no manifest, or of one that is being pushed. */
int copy_layers(struct copy_repository *repository, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < COPY_ALGORITHMS; i++) {
        struct layers layers = {repository, i};

        r = parallel_for(repository->copy->threads, repository->from.layers[i].count,
                         COPY_OBJECTS_AT_ONCE, copy_one_layer, &layers, err);
    }
    return r;
}

/* --- manifests ------------------------------------------------------------------------------- */

static int copy_manifest(struct copy_repository *repository, const struct digest *digest,
                         unsigned depth, struct error *err);

struct references {
    struct copy_repository *repository;
    const struct manifest *manifest;
    unsigned depth;
};

static size_t algorithm_of(const struct digest *digest)
{
    return digest->algorithm == DIGEST_SHA512;
}

static int copy_reference(void *object, size_t index, struct error *err)
{
    const struct references *references = object;
    const struct manifest *manifest = references->manifest;
    const struct digest *digest;

    if (index >= manifest->blobs.count)
        return copy_manifest(references->repository,
                             &manifest->manifests.items[index - manifest->blobs.count].digest,
                             references->depth + 1, err);
    digest = &manifest->blobs.items[index].digest;
    return copy_layer(references->repository,
                      &references->repository->to.layers[algorithm_of(digest)], digest, err);
}

/* Copies what a manifest names, as far as the source has it. */
static int copy_references(struct copy_repository *repository, const struct manifest *manifest,
                           unsigned depth, struct error *err)
{
    struct references references = {repository, manifest, depth};

    return parallel_for(repository->copy->threads,
                        manifest->blobs.count + manifest->manifests.count, COPY_OBJECTS_AT_ONCE,
                        copy_reference, &references, err);
}

/*
 * Reads a manifest and compares it with its digest. Returns 0; STORE_NOT_FOUND if it cannot be
 * copied, which was reported unless it was deleted; or negative.
 */
static int read_manifest(const struct copy_repository *repository, const struct digest *digest,
                         struct store_content *ret, struct digest *ret_canonical, struct error *err)
{
    struct key link = key_revision(repository->name, digest, "link");
    const struct copy_blob blob = {.canonical = ret_canonical, .name = repository->name};
    struct digest found;
    int r = copy_read_link(repository->copy, &link, ret_canonical, err);

    if (r != 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    r = store_get_manifest(repository->copy->from, repository->name, digest, STORE_MAY_WAIT, ret,
                           err);
    if (r == STORE_NOT_FOUND) {
        r = judge_missing(repository, &link, &blob, err);
        return r < 0 ? r : STORE_NOT_FOUND;
    }
    if (r == 0 && digest_of(digest->algorithm, ret->bytes, ret->size, &found) == 0 &&
        !digest_is_equal(&found, digest))
        r = error_set(err, EBADMSG, "the bytes do not match the digest in its path");
    if (r < 0 && copy_is_damage(repository->copy->from, r)) {
        copy_report_link(repository->copy, &link, err->text);
        return STORE_NOT_FOUND;
    }
    return r;
}

/* The steps that make a manifest visible, as those of a push (registry/core/manifests.c). */
struct revision {
    struct key layers, referrer, type, link;
    char text[DIGEST_TEXT_SIZE], canonical_text[DIGEST_TEXT_SIZE];
    char *stored_type; /* NULL: none */
    struct storage_step steps[STEPS_MAX];
    size_t count;
};

static void revision_done(struct revision *revision)
{
    free(revision->stored_type);
}

static void add_put(struct revision *revision, const struct key *key, const char *text)
{
    revision->steps[revision->count++] = (struct storage_step){
        .kind = STORAGE_PUT, .key = key->text, .data = text, .size = strlen(text)};
}

/*
 * The entry in the referrers index and the stored media type are copied if the source has them.
 * The first step is left for copy_blobs_write().
 */
static int make_steps(const struct copy_repository *repository, const struct digest *digest,
                      const struct digest *canonical, const struct manifest *manifest,
                      struct revision *revision, struct error *err)
{
    struct store *from = repository->copy->from;
    size_t size;
    int r = 0;

    digest_format(digest, revision->text);
    digest_format(canonical, revision->canonical_text);
    revision->layers = key_in_repository(repository->name, "_layers/");
    revision->link = key_revision(repository->name, digest, "link");
    revision->type = key_revision(repository->name, canonical, "media-type");
    revision->count = 1;
    revision->steps[revision->count++] =
        (struct storage_step){.kind = STORAGE_MARK, .key = revision->layers.text};
    if (manifest->has_subject) {
        revision->referrer = key_referrer(repository->name, &manifest->subject, digest);
        r = copy_has_link(from, &revision->referrer, err);
        if (r > 0)
            add_put(revision, &revision->referrer, revision->text);
    }
    if (r >= 0)
        r = storage_get(from->storage, revision->type.text, MANIFEST_TYPE_SIZE - 1,
                        STORAGE_MAY_WAIT, &revision->stored_type, &size, err);
    if (r == 0)
        add_put(revision, &revision->type, revision->stored_type);
    add_put(revision, &revision->link, revision->canonical_text);
    return r < 0 ? r : 0;
}

/* What the manifest leads to comes first: blobs, and the manifests of an index. 0 or negative. */
static int copy_manifest(struct copy_repository *repository, const struct digest *digest,
                         unsigned depth, struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    CLEANUP(manifest_done) struct manifest manifest = {0};
    CLEANUP(revision_done) struct revision revision = {0};
    struct key link = key_revision(repository->name, digest, "link");
    struct digest canonical;
    struct copy_blob blob = {.canonical = &canonical, .name = repository->name};
    struct error ignored;
    int r = depth < DEPTH_MAX ? copy_has_link(repository->copy->to, &link, err) : 1;

    if (r == 0)
        r = read_manifest(repository, digest, &content, &canonical, err);
    if (r != 0)
        return r < 0 ? r : 0;
    blob.bytes = content.bytes;
    blob.size = content.size;
    /* A manifest of an unknown kind is copied without what it leads to. */
    if (manifest_parse(content.media_type, content.bytes, content.size, &manifest, &ignored) == 0)
        r = copy_references(repository, &manifest, depth, err);
    if (r == 0)
        r = make_steps(repository, digest, &canonical, &manifest, &revision, err);
    if (r == 0)
        r = copy_blobs_write(repository->copy->blobs, &blob, revision.steps, revision.count, err);
    return r < 0 ? r : 0;
}

static int copy_sha256_manifest(void *object, size_t index, struct error *err)
{
    struct copy_repository *repository = object;

    return copy_manifest(repository, &repository->from.revisions[0].items[index], 0, err);
}

static int copy_sha512_manifest(void *object, size_t index, struct error *err)
{
    struct copy_repository *repository = object;

    return copy_manifest(repository, &repository->from.revisions[1].items[index], 0, err);
}

int copy_manifests(struct copy_repository *repository, struct error *err)
{
    int r = parallel_for(repository->copy->threads, repository->from.revisions[0].count,
                         COPY_OBJECTS_AT_ONCE, copy_sha256_manifest, repository, err);

    return r < 0 ? r
                 : parallel_for(repository->copy->threads, repository->from.revisions[1].count,
                                COPY_OBJECTS_AT_ONCE, copy_sha512_manifest, repository, err);
}
