/*
 * Stores manifests. One write makes the bytes, the revision, the entry among the referrers and the
 * tags visible in an order in which nothing visible is incomplete.
 */
#include <errno.h>
#include <string.h>

#include "registry/core/claims.h"
#include "registry/core/media-type.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"
#include "registry/core/tag-names.h"

/* The changes of a push, in the order in which they become visible. */
struct push {
    const char *name;
    const struct store_manifest *manifest;
    struct digest canonical;
    char link[DIGEST_TEXT_SIZE]; /* the content of revisions' links */
    char tag_link[DIGEST_TEXT_SIZE]; /* the content of tags' and referrers' links */
    struct storage_step *steps;
    struct key *keys;
    size_t count;
};

enum { MAX_STEPS = 6, STEPS_OF_TAG = 2, MAX_TRIES = 10 };

static void push_done(struct push *push)
{
    free(push->steps);
    free(push->keys);
}

static struct storage_step *add_step(struct push *push, enum storage_step_kind kind,
                                     const struct key *key, const void *data, size_t size)
{
    struct storage_step *step = &push->steps[push->count];

    push->keys[push->count] = *key;
    *step = (struct storage_step){
        .kind = kind, .key = push->keys[push->count].text, .data = data, .size = size};
    push->count++;
    return step;
}

static void add_text(struct push *push, struct key key, const char *text)
{
    add_step(push, STORAGE_PUT, &key, text, strlen(text));
}

/* The type is stored if it is not what the bytes show, or if another one was stored before. */
static int add_type(struct store *store, struct push *push, struct error *err)
{
    const struct store_manifest *manifest = push->manifest;
    struct key key = key_revision(push->name, &push->canonical, "media-type");
    struct shown_type shown;
    struct storage_object object;
    int r = 0;

    type_cache_sniff(store->types, &push->canonical, manifest->bytes, manifest->size, &shown);
    if (strcmp(shown.name, manifest->media_type) == 0)
        r = storage_head(store->storage, key.text, STORAGE_MAY_WAIT, &object, err);
    if (r == 0)
        add_text(push, key, manifest->media_type);
    return r < 0 ? r : 0;
}

void store_note_type(struct store *store, const struct digest *digest, const void *bytes,
                     size_t size)
{
    struct shown_type shown;

    if (digest->algorithm == DIGEST_SHA256)
        type_cache_sniff(store->types, digest, bytes, size, &shown);
}

static bool is_of_push(const struct push *push, const struct digest *digest)
{
    return digest_is_equal(digest, &push->manifest->digest) ||
           digest_is_equal(digest, &push->canonical);
}

/*
 * Adds a protected tag only if it does not exist. Returns 0, also if it already names this
 * manifest, STORE_TAG_EXISTS if it names another one or is damaged, or negative.
 */
static int add_protected_tag(struct store *store, struct push *push, const char *tag,
                             struct error *err)
{
    struct key current = key_tag_current(push->name, tag);
    struct digest digest;
    int r = store_resolve_tag(store, push->name, tag, STORE_MAY_WAIT, &digest, err);

    if (r == -EBADMSG || (r == 0 && !is_of_push(push, &digest)))
        return STORE_TAG_EXISTS;
    if (r <= 0)
        return r;
    add_text(push, key_tag_index(push->name, tag, &push->manifest->digest, "link"), push->tag_link);
    add_step(push, STORAGE_PUT, &current, push->tag_link, strlen(push->tag_link))->condition =
        STORAGE_IF_ABSENT;
    return 0;
}

static int add_tags(struct store *store, struct push *push, struct error *err)
{
    const struct store_manifest *manifest = push->manifest;
    int r = 0;

    for (size_t i = 0; r == 0 && i < manifest->tag_count; i++) {
        const char *tag = manifest->tags[i];

        if (manifest->protected_tags && manifest->protected_tags[i]) {
            r = add_protected_tag(store, push, tag, err);
        } else {
            add_text(push, key_tag_index(push->name, tag, &manifest->digest, "link"),
                     push->tag_link);
            add_text(push, key_tag_current(push->name, tag), push->tag_link);
        }
    }
    return r;
}

/*
 * Existing bytes are kept if they match, and removed if they are damaged; a blob is never replaced.
 * Missing bytes are put.
 */
static int add_bytes(struct store *store, struct push *push, struct error *err)
{
    const struct store_manifest *manifest = push->manifest;
    struct key data = key_blob(&push->canonical);
    CLEANUP_FREE char *bytes = NULL;
    struct storage_object object;
    size_t size;
    int r = storage_head(store->storage, data.text, STORAGE_MAY_WAIT, &object, err);

    if (r == 0 && object.size == manifest->size)
        r = storage_get(store->storage, data.text, manifest->size, STORAGE_MAY_WAIT, &bytes, &size,
                        err);
    if (r < 0)
        return r;
    if (r == 0 && bytes && size == manifest->size && memcmp(bytes, manifest->bytes, size) == 0) {
        add_step(push, STORAGE_KEEP, &data, NULL, 0);
        return 0;
    }
    if (r == 0)
        r = storage_remove_if_unchanged(store->storage, data.text, &object.version, err);
    add_step(push, STORAGE_PUT, &data, manifest->bytes, manifest->size)->condition =
        STORAGE_IF_ABSENT;
    return r < 0 ? r : 0;
}

/* 0, STORE_TAG_EXISTS, or negative. */
static int add_steps(struct store *store, struct push *push, struct error *err)
{
    const struct store_manifest *manifest = push->manifest;
    struct key layers = key_in_repository(push->name, "_layers/");
    int r = add_bytes(store, push, err);

    if (r < 0)
        return r;
    /*
     * registry:2 recognises a repository by this prefix; without it, its garbage collection would
     * not see the manifest.
     */
    add_step(push, STORAGE_MARK, &layers, NULL, 0);
    if (manifest->subject)
        add_text(push, key_referrer(push->name, manifest->subject, &manifest->digest),
                 push->tag_link);
    r = add_type(store, push, err);
    if (r < 0)
        return r;
    add_text(push, key_revision(push->name, &push->canonical, "link"), push->link);
    if (!digest_is_equal(&push->canonical, &manifest->digest))
        add_text(push, key_revision(push->name, &manifest->digest, "link"), push->link);
    return add_tags(store, push, err);
}

static int find_canonical(const struct store_manifest *manifest, struct digest *ret)
{
    if (manifest->digest.algorithm != DIGEST_SHA256)
        return digest_of(DIGEST_SHA256, manifest->bytes, manifest->size, ret);
    *ret = manifest->digest;
    return 0;
}

static void report_push(const struct store *store, const char *name,
                        const struct store_manifest *manifest)
{
    struct event event = {.kind = EVENT_PUSH_MANIFEST,
                          .repository = name,
                          .digest = &manifest->digest,
                          .size = manifest->size,
                          .media_type = manifest->media_type,
                          .actor = manifest->actor};

    if (manifest->tag_count == 0)
        store_report_event(store, &event);
    for (size_t i = 0; i < manifest->tag_count; i++) {
        event.tag = manifest->tags[i];
        store_report_event(store, &event);
    }
}

/*
 * Tries again if another request pushes the same manifest, or garbage collection removes its bytes,
 * at the same time.
 */
static int write_push(struct store *store, struct push *push, struct storage_claim *claim,
                      struct error *err)
{
    for (int try = 0; try < MAX_TRIES; try++) {
        int r;

        push->count = 0;
        r = add_steps(store, push, err);
        if (r != 0)
            return r;
        r = store_write_claimed(store, claim, push->steps, push->count, err);
        if (r <= 0)
            return r;
    }
    return error_set(
        err, EAGAIN,
        "the manifest sha256:%s is pushed and removed again and again; try again later",
        push->canonical.hex);
}

int store_put_manifest(struct store *store, const char *name, const struct store_manifest *manifest,
                       struct error *err)
{
    size_t most = MAX_STEPS + manifest->tag_count * STEPS_OF_TAG;
    CLEANUP(push_done) struct push push = {.name = name, .manifest = manifest};
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    int r;

    push.steps = calloc(most, sizeof(*push.steps));
    push.keys = calloc(most, sizeof(*push.keys));
    if (!push.steps || !push.keys || find_canonical(manifest, &push.canonical) < 0)
        return error_set_oom(err);
    digest_format(&push.canonical, push.link);
    digest_format(&manifest->digest, push.tag_link);
    r = quota_charge(store, name, &push.canonical, manifest->size, err);
    if (r == 0)
        r = store_claim(store, name, STORAGE_SHARED, &claim, err);
    if (r == 0)
        r = write_push(store, &push, claim, err);
    if (r == 0 && manifest->tag_count > 0)
        r = tag_names_mark(store, name, err);
    if (r == 0)
        report_push(store, name, manifest);
    return r;
}
