/*
 * Searches for referrers that are not in the index: registry:2, which does not maintain the index,
 * may have served the storage before. Every manifest of a repository is read once after the start,
 * in parts of bounded time and size.
 */
#include "registry/core/referrer-search.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/claims.h"
#include "registry/core/revisions.h"
#include "registry/core/search-progress.h"
#include "registry/core/store-private.h"
#include "registry/spec/manifest.h"

enum {
    PAGE = 256,            /* manifests that are listed at a time */
    BATCH = 64,            /* entries that are written at a time */
    PART_MS = 100, /* a part of the search ends after this time */
    PART_SIZE = 8 << 20, /* or after this many bytes of manifests */
    PATIENCE_MS = 100, /* how long to wait for a thread that searches the same repository */
};

struct part {
    struct store *store;
    const char *name;
    bool has_aliases; /* manifests with sha512 digests */
    int64_t end_ms;
    size_t read_size;
    struct key keys[BATCH];
    char texts[BATCH][DIGEST_TEXT_SIZE];
    struct storage_step steps[BATCH];
    size_t count;
};

/* --- entries ------------------------------------------------------------------------------- */

static int write_batch(struct part *part, struct error *err)
{
    int r = part->count ? storage_write(part->store->storage, part->steps, part->count, err) : 0;

    part->count = 0;
    return r;
}

static int add_entry(struct part *part, const struct digest *subject, const struct digest *digest,
                     struct error *err)
{
    struct key *key = &part->keys[part->count];
    char *text = part->texts[part->count];
    struct storage_object object;
    int r;

    *key = key_referrer(part->name, subject, digest);
    r = storage_head(part->store->storage, key->text, STORAGE_MAY_WAIT, &object, err);
    if (r != STORAGE_NOT_FOUND)
        return r;
    digest_format(digest, text);
    part->steps[part->count++] = (struct storage_step){
        .kind = STORAGE_PUT, .key = key->text, .data = text, .size = strlen(text)};
    return part->count == BATCH ? write_batch(part, err) : 0;
}

/* --- manifests ------------------------------------------------------------------------------ */

/*
 * A manifest that was pushed by its sha512 digest has two revisions and is listed by the sha512
 * one. Returns 1 if digest is the other one, 0 if not, or negative.
 */
static int is_listed_by_alias(const struct part *part, const struct digest *digest,
                              const struct store_content *content, struct error *err)
{
    struct digest alias, canonical;
    int r;

    if (!part->has_aliases || digest->algorithm != DIGEST_SHA256)
        return 0;
    if (digest_of(DIGEST_SHA512, content->bytes, content->size, &alias) < 0)
        return error_set_oom(err);
    r = store_find_revision(part->store, part->name, &alias, STORE_MAY_WAIT, &canonical, err);
    return r < 0 ? r : r == 0;
}

/* Bytes that cannot be parsed as a manifest have no subject. */
static int search_manifest(struct part *part, const struct digest *digest, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    CLEANUP(store_content_done) struct store_content content = {0};
    struct error ignored;
    int r = store_get_manifest(part->store, part->name, digest, STORE_MAY_WAIT, &content, err);

    if (r == -EBADMSG) /* skip a damaged manifest, so that the others are found */
        return 0;
    if (r != 0)
        return r < 0 ? r : 0;
    part->read_size += content.size;
    if (manifest_parse(content.media_type, content.bytes, content.size, &manifest, &ignored) < 0 ||
        !manifest.has_subject)
        return 0;
    r = is_listed_by_alias(part, digest, &content, err);
    return r == 0 ? add_entry(part, &manifest.subject, digest, err) : r < 0 ? r : 0;
}

/* --- parts of the search ---------------------------------------------------------------------- */

static bool is_over(const struct part *part)
{
    return part->read_size >= PART_SIZE || monotonic_ms() >= part->end_ms;
}

/*
 * Searches the manifests of one algorithm, starting at the position. 0 at their end,
 * STORE_WOULD_WAIT, or negative.
 */
static int search_algorithm(struct part *part, struct search_position *position, struct error *err)
{
    struct key prefix = key_revisions(part->name, position->algorithm);
    int r = 0;

    for (;;) {
        CLEANUP(storage_list_done) struct storage_list list = {0};

        r = storage_list(part->store->storage, prefix.text, *position->last ? position->last : NULL,
                         PAGE, &list, err);
        for (size_t i = 0; r == 0 && i < list.count; i++) {
            const char *name = list.entries[i]->name;
            struct digest digest;

            snprintf(position->last, sizeof(position->last), "%s", name);
            if (key_parse_hex(position->algorithm, name, &digest))
                r = search_manifest(part, &digest, err);
            if (r == 0 && is_over(part))
                return STORE_WOULD_WAIT;
        }
        if (r < 0 || list.count < PAGE)
            return r;
    }
}

static int search_part(struct part *part, struct search_position *position, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct key aliases = key_revisions(part->name, DIGEST_SHA512);
    int r = storage_list(part->store->storage, aliases.text, NULL, 1, &list, err), written;

    if (r < 0)
        return r;
    part->has_aliases = list.count > 0;
    if (position->algorithm == DIGEST_SHA256) {
        r = search_algorithm(part, position, err);
        if (r == 0)
            *position = (struct search_position){.algorithm = DIGEST_SHA512};
    }
    if (r == 0)
        r = search_algorithm(part, position, err);
    if (r < 0)
        return r;
    written = write_batch(part, err);
    return written < 0 ? written : r;
}

static int claim_and_search(struct store *store, const char *name, struct search_position *position,
                            struct error *err)
{
    CLEANUP_FREE struct part *part = calloc(1, sizeof(*part));
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    int r;

    if (!part)
        return error_set_oom(err);
    part->store = store;
    part->name = name;
    part->end_ms = monotonic_ms() + PART_MS;
    r = store_claim(store, name, STORAGE_SHARED, &claim, err);
    return r == 0 ? search_part(part, position, err) : r;
}

int store_search_referrers(struct store *store, const char *name, struct error *err)
{
    struct search_position begin, position;
    int r;

    switch (search_progress_begin(store->searches, name, PATIENCE_MS, &begin)) {
    case SEARCH_DONE:
        return 0;
    case SEARCH_BUSY:
        return STORE_WOULD_WAIT;
    default:
        break;
    }
    position = begin;
    r = claim_and_search(store, name, &position, err);
    search_progress_end(store->searches, name, r < 0 ? &begin : r == 0 ? NULL : &position);
    return r;
}
