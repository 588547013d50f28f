/*
 * Summaries of manifests. The size of an image is that of its configuration and layers, as the
 * manifest states them; that of an index is the sum of its images.
 */
#include "registry/api/page-summary.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "registry/api/page-answer.h"
#include "registry/core/digest-set.h"
#include "registry/spec/manifest.h"

enum {
    SLOTS = 4096,
    CONFIG_SIZE_MAX = 1 << 20,
    PLATFORMS_MAX = 64, /* shown of one index */
    WORD_MAX = 64,      /* of a platform */
    SUMMARY_SIZE_MAX = 16 << 10,
};

/* The members of an object, and for comparison a line for each platform: "linux/arm64/v8\n". */
struct summary {
    struct digest_id id;
    bool is_used; /* since summary_cache_drop_unused() */
    char *members, *platforms;
};

struct summary_cache {
    pthread_mutex_t lock; /* protects everything below */
    struct summary slots[SLOTS];
};

struct summary_cache *summary_cache_new(void)
{
    struct summary_cache *cache = calloc(1, sizeof(*cache));

    if (cache)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void summary_done(struct summary *summary)
{
    free(summary->members);
    free(summary->platforms);
    *summary = (struct summary){0};
}

void summary_cache_free(struct summary_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        summary_done(&cache->slots[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void summary_cache_drop_unused(struct summary_cache *cache)
{
    for (size_t i = 0; i < SLOTS; i++) {
        pthread_mutex_lock(&cache->lock);
        if (cache->slots[i].members && !cache->slots[i].is_used)
            summary_done(&cache->slots[i]);
        else if (cache->slots[i].members) /* others' memory is not to be touched */
            cache->slots[i].is_used = false;
        pthread_mutex_unlock(&cache->lock);
    }
}

/* --- making one ----------------------------------------------------------------------------- */

struct making {
    struct store *store;
    const char *name; /* of the repository */
    struct text members, list, platforms;
    size_t count; /* platforms in the list */
    uint64_t bytes;
    bool is_partial; /* something could not be read, but may be later */
};

static void making_done(struct making *making)
{
    text_done(&making->members);
    text_done(&making->list);
    text_done(&making->platforms);
}

static const char *get_word(const struct json *object, const char *name)
{
    const char *word = json_get_text(json_find(object, name));

    return word && *word && strlen(word) <= WORD_MAX ? word : NULL;
}

static void add_member(struct text *text, const char *separator, const char *name,
                       const char *value)
{
    text_add_string(text, separator);
    text_add_quoted(text, name);
    text_add_string(text, ":");
    text_add_quoted(text, value);
}

/*
 * Adds a platform; without os and architecture it is none. BuildKit marks attestations, which are
 * no images, with the platform unknown/unknown.
 */
static bool add_platform(struct making *making, const struct json *object,
                         const struct digest *digest, uint64_t bytes)
{
    const char *os = get_word(object, "os"), *architecture = get_word(object, "architecture"),
               *variant = get_word(object, "variant");
    char line[3 * (WORD_MAX + 1) + 1], text[DIGEST_TEXT_SIZE];

    if (!os || !architecture || strcmp(os, "unknown") == 0 || making->count == PLATFORMS_MAX)
        return false;
    snprintf(line, sizeof(line), "%s/%s%s%s\n", os, architecture, variant ? "/" : "",
             variant ? variant : "");
    text_add_string(&making->platforms, line);
    digest_format(digest, text);
    add_member(&making->list, making->count++ ? ",{" : "{", "os", os);
    add_member(&making->list, ",", "architecture", architecture);
    if (variant)
        add_member(&making->list, ",", "variant", variant);
    add_member(&making->list, ",", "digest", text);
    page_add_number(&making->list, "bytes", bytes);
    text_add_string(&making->list, "}");
    return true;
}

static uint64_t sum(const struct manifest_descriptors *blobs)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < blobs->count; i++)
        if (__builtin_add_overflow(bytes, blobs->items[i].size, &bytes))
            return UINT64_MAX;
    return bytes;
}

/* The size of one image of an index; 0 if it is missing or only registry:2 understands it. */
static int measure_child(struct making *making, const struct digest *digest, uint64_t *ret,
                         struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error ignored;
    int r = store_get_manifest(making->store, making->name, digest, STORE_MAY_WAIT, &content, err);

    *ret = 0;
    if (store_is_general_failure(r))
        return r;
    if (r == 0 &&
        manifest_parse(content.media_type, content.bytes, content.size, &manifest, &ignored) == 0)
        *ret = sum(&manifest.blobs);
    return 0;
}

static int add_index(struct making *making, const struct store_content *content, struct error *err)
{
    CLEANUP(json_freep) struct json *document = NULL;
    const struct json *item;
    int r = json_parse_public(content->bytes, content->size, &document);

    if (r < 0)
        return r == -ENOMEM ? error_set_oom(err) : 0;
    item = json_find(document, "manifests");
    for (item = item ? json_get_first(item) : NULL; item; item = json_get_next(item)) {
        const char *text = json_get_text(json_find(item, "digest"));
        struct digest digest;
        uint64_t bytes;

        if (!text || digest_parse(text, strlen(text), &digest) < 0 ||
            making->count == PLATFORMS_MAX)
            continue;
        r = measure_child(making, &digest, &bytes, err);
        if (r < 0)
            return r;
        if (add_platform(making, json_find(item, "platform"), &digest, bytes) &&
            __builtin_add_overflow(making->bytes, bytes, &making->bytes))
            making->bytes = UINT64_MAX;
    }
    return 0;
}

static bool has_digest(const char *bytes, size_t size, const struct digest *digest)
{
    struct digest actual;

    return digest_of(digest->algorithm, bytes, size, &actual) == 0 &&
           digest_is_equal(&actual, digest);
}

/* Reads a small blob; NULL if it is missing, large, damaged or cannot be read. */
static int read_blob(struct making *making, const struct digest *digest, char **ret,
                     size_t *ret_size, struct error *err)
{
    CLEANUP(store_reader_closep) struct store_reader *reader = NULL;
    CLEANUP_FREE char *bytes = NULL;
    struct store_blob blob;
    ssize_t n = 1;
    int r =
        store_open_blob(making->store, making->name, digest, STORE_MAY_WAIT, &blob, &reader, err);

    making->is_partial = making->is_partial || r != 0;
    if (r != 0 || blob.size > CONFIG_SIZE_MAX)
        return store_is_general_failure(r) ? r : 0;
    bytes = malloc(blob.size + 1);
    if (!bytes)
        return error_set_oom(err);
    for (*ret_size = 0; *ret_size < blob.size && n > 0; *ret_size += n > 0 ? (size_t)n : 0)
        n = store_reader_read(reader, *ret_size, bytes + *ret_size, blob.size - *ret_size);
    if (n > 0 && has_digest(bytes, *ret_size, digest))
        *ret = steal_ptr(&bytes);
    else
        making->is_partial = true;
    return 0;
}

static bool is_image_config(const char *media_type)
{
    return strcmp(media_type, "application/vnd.oci.image.config.v1+json") == 0 ||
           strcmp(media_type, "application/vnd.docker.container.image.v1+json") == 0;
}

/* The configuration of an image says its platform. */
static int add_image(struct making *making, const struct manifest *manifest,
                     const struct digest *digest, struct error *err)
{
    CLEANUP(json_freep) struct json *config = NULL;
    CLEANUP_FREE char *bytes = NULL;
    size_t size = 0;
    int r;

    making->bytes = sum(&manifest->blobs);
    if (manifest->blobs.count == 0 || !is_image_config(manifest->blobs.items[0].media_type))
        return 0;
    r = read_blob(making, &manifest->blobs.items[0].digest, &bytes, &size, err);
    if (r == 0 && bytes)
        r = json_parse_public(bytes, size, &config);
    if (config)
        add_platform(making, config, digest, making->bytes);
    return r == -ENOMEM ? error_set_oom(err) : 0;
}

/* Puts the members together, and empties the parts. */
static void add_members(struct making *making, const char *media_type, const char *artifact_type)
{
    add_member(&making->members, ",", "media_type", media_type);
    page_add_number(&making->members, "bytes", making->bytes);
    text_add_string(&making->members, ",\"platforms\":[");
    if (making->list.data)
        text_add(&making->members, making->list.data, making->list.size);
    text_add_string(&making->members, "]");
    if (artifact_type)
        add_member(&making->members, ",", "artifact_type", artifact_type);
}

static int make_of(struct making *making, const struct store_content *content,
                   const struct digest *digest, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error why = {0};
    int r = manifest_parse(content->media_type, content->bytes, content->size, &manifest, &why);

    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r < 0) { /* only other programs understand it */
        add_members(making, content->media_type, NULL);
        return 0;
    }
    r = manifest.manifests.count > 0 ? add_index(making, content, err)
                                     : add_image(making, &manifest, digest, err);
    if (r == 0)
        add_members(making, manifest.media_type, manifest.artifact_type);
    return r;
}

/* --- the cache ------------------------------------------------------------------------------ */

/* Whether one of the lines is the platform, a variant of it, or of that architecture. */
static bool has_platform(const char *lines, const char *platform)
{
    size_t size = strlen(platform);
    bool is_whole = strchr(platform, '/');

    for (const char *line = lines; *line; line += strcspn(line, "\n") + 1) {
        const char *slash = strchr(line, '/'), *at = is_whole || !slash ? line : slash + 1;

        if (strncmp(at, platform, size) == 0 && (at[size] == '\n' || at[size] == '/'))
            return true;
    }
    return false;
}

static bool add_if_matching(const struct summary *summary, const char *platform, struct text *text)
{
    if (*platform && !has_platform(summary->platforms, platform))
        return false;
    text_add_string(text, summary->members);
    return true;
}

static size_t slot_of(const struct digest_id *id)
{
    return ((size_t)id->bytes[0] << 8 | id->bytes[1]) % SLOTS;
}

static bool add_cached(struct summary_cache *cache, const struct digest_id *id,
                       const char *platform, struct text *text, bool *ret_matches)
{
    struct summary *summary = &cache->slots[slot_of(id)];
    bool is_there;

    pthread_mutex_lock(&cache->lock);
    is_there = summary->members && digest_id_compare(&summary->id, id) == 0;
    if (is_there) {
        summary->is_used = true;
        *ret_matches = add_if_matching(summary, platform, text);
    }
    pthread_mutex_unlock(&cache->lock);
    return is_there;
}

/* Takes ownership of the texts. */
static void keep(struct summary_cache *cache, struct summary *summary)
{
    struct summary *slot = &cache->slots[slot_of(&summary->id)], old;

    pthread_mutex_lock(&cache->lock);
    old = *slot;
    *slot = *summary;
    pthread_mutex_unlock(&cache->lock);
    summary_done(&old);
}

/* A manifest that cannot be read has no summary. */
static int add_unreadable(const char *what, const char *platform, struct text *text,
                          bool *ret_matches)
{
    *ret_matches = !*platform;
    if (*ret_matches)
        page_add_bool(text, what, true);
    return 0;
}

int summary_add(struct summary_cache *cache, struct store *store, const char *name,
                const struct digest *digest, const char *platform, struct text *text,
                bool *ret_matches, struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    CLEANUP(making_done) struct making making = {.store = store, .name = name};
    struct summary summary = {.is_used = true};
    bool is_cached = digest->algorithm == DIGEST_SHA256; /* others are rare */
    size_t size;
    int r;

    if (is_cached)
        summary.id = digest_id_of(digest);
    if (is_cached && add_cached(cache, &summary.id, platform, text, ret_matches))
        return 0;
    r = store_get_manifest(store, name, digest, STORE_MAY_WAIT, &content, err);
    if (r == STORE_NOT_FOUND || r == -EBADMSG)
        return add_unreadable(r == -EBADMSG ? "damaged" : "missing", platform, text, ret_matches);
    if (r == 0)
        r = make_of(&making, &content, digest, err);
    if (r < 0)
        return r;
    text_add_string(&making.platforms, "");
    summary.members = text_steal(&making.members, &size);
    summary.platforms = text_steal(&making.platforms, &size);
    if (!summary.members || !summary.platforms) {
        summary_done(&summary);
        return error_set_oom(err);
    }
    *ret_matches = add_if_matching(&summary, platform, text);
    if (is_cached && !making.is_partial && strlen(summary.members) <= SUMMARY_SIZE_MAX)
        keep(cache, &summary);
    else
        summary_done(&summary);
    return 0;
}
