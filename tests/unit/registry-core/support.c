#include "tests/unit/registry-core/support.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "registry/spec/manifest.h"

enum { BUFFERS = 4 };

int open_store_at(const char *root, enum filesystem_sharing sharing, struct store **ret,
                  struct error *err)
{
    struct storage *storage;
    int r = filesystem_open(root, sharing, &storage, err);

    return r < 0 ? r : store_open(storage, ret, err);
}

struct store *open_store(void)
{
    struct error err = {0};
    struct store *store;

    if (open_store_at("root", FILESYSTEM_SERVES, &store, &err) != 0)
        fail_msg("%s", err.text);
    return store;
}

static struct digest digest_text(enum digest_algorithm algorithm, const char *text)
{
    struct digest digest;

    assert_int_equal(digest_of(algorithm, text, strlen(text), &digest), 0);
    return digest;
}

struct digest sha256_of(const char *text)
{
    return digest_text(DIGEST_SHA256, text);
}

struct digest sha512_of(const char *text)
{
    return digest_text(DIGEST_SHA512, text);
}

const char *text_of(struct digest digest)
{
    static char texts[BUFFERS][DIGEST_TEXT_SIZE];
    static int next;
    char *text = texts[next++ % BUFFERS];

    digest_format(&digest, text);
    return text;
}

const char *below(const char *format, ...)
{
    static char paths[BUFFERS][1024];
    static int next;
    char *path = paths[next++ % BUFFERS];
    va_list args;
    int size;

    size = snprintf(path, sizeof(paths[0]), ROOT "/");
    va_start(args, format);
    vsnprintf(path + size, sizeof(paths[0]) - (size_t)size, format, args);
    va_end(args);
    return path;
}

struct digest push_blob(struct store *store, const char *name, const char *text)
{
    struct digest digest = sha256_of(text);
    struct error err = {0};
    struct upload *upload;

    if (store_upload_create(store, name, DIGEST_SHA256, &upload, &err) != 0 ||
        upload_write(upload, text, strlen(text), &err) != 0 ||
        upload_commit(upload, &digest, NULL, &err) != 0)
        fail_msg("%s", err.text);
    upload_release(upload);
    return digest;
}

struct upload *create_upload(struct store *store, enum digest_algorithm algorithm)
{
    struct error err = {0};
    struct upload *upload;

    if (store_upload_create(store, "a/b", algorithm, &upload, &err) != 0)
        fail_msg("%s", err.text);
    return upload;
}

struct upload *reopen_upload(struct store *store, const char *id)
{
    struct error err = {0};
    struct upload *upload;
    int r = store_upload_open(store, "a/b", id, &upload, &err);

    if (r != 0)
        fail_msg("%d %s", r, err.text);
    return upload;
}

int commit_upload(struct upload *upload, struct digest digest)
{
    struct error err = {0};

    return upload_commit(upload, &digest, NULL, &err);
}

void keep_upload_id(const struct upload *upload, char ret_id[UPLOAD_ID_SIZE + 1])
{
    memcpy(ret_id, upload_get_id(upload), UPLOAD_ID_SIZE + 1);
}

struct digest push_manifest(struct store *store, const char *name, const char *tag,
                            const char *type, const char *text)
{
    CLEANUP(manifest_done) struct manifest parsed = {0};
    struct store_manifest manifest = {
        .digest = sha256_of(text),
        .media_type = type,
        .bytes = text,
        .size = strlen(text),
        .tags = &tag,
        .tag_count = tag ? 1 : 0,
    };
    struct error err = {0};

    if (manifest_parse(type, text, strlen(text), &parsed, &err) == 0 && parsed.has_subject)
        manifest.subject = &parsed.subject;
    if (store_put_manifest(store, name, &manifest, &err) != 0)
        fail_msg("%s", err.text);
    return manifest.digest;
}

const char *image_of(struct digest config, const char *annotation, const struct digest *subject)
{
    static char texts[BUFFERS][2048];
    static int next;
    char *text = texts[next++ % BUFFERS], about[512] = "";

    if (subject)
        snprintf(about, sizeof(about),
                 ",\"subject\":{\"mediaType\":\"" IMAGE_TYPE "\",\"digest\":\"%s\",\"size\":1}",
                 text_of(*subject));
    snprintf(
        text, sizeof(texts[0]),
        "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_TYPE "\",\"config\":{\"mediaType\":"
        "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":1},\"layers\":[],"
        "\"annotations\":{\"what\":\"%s\"}%s}",
        text_of(config), annotation, about);
    return text;
}

const char *index_of(struct digest first, const struct digest *second)
{
    static char texts[BUFFERS][2048];
    static int next;
    char *text = texts[next++ % BUFFERS], more[512] = "";

    if (second)
        snprintf(more, sizeof(more),
                 ",{\"mediaType\":\"" IMAGE_TYPE "\",\"digest\":\"%s\",\"size\":1}",
                 text_of(*second));
    snprintf(text, sizeof(texts[0]),
             "{\"schemaVersion\":2,\"mediaType\":\"" INDEX_TYPE
             "\",\"manifests\":[{\"mediaType\":\"" IMAGE_TYPE
             "\",\"digest\":\"%s\",\"size\":1}%s]}",
             text_of(first), more);
    return text;
}

struct digest push_image(struct store *store, const char *name, const char *tag, const char *what,
                         const struct digest *subject)
{
    return push_manifest(store, name, tag, IMAGE_TYPE,
                         image_of(push_blob(store, name, what), what, subject));
}

void assert_nothing_temporary(void)
{
    static const char *const ours[] = {".", "..", "claims"};
    DIR *directory = opendir(below("_temporary"));
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        size_t i = 0;

        while (i < ARRAY_SIZE(ours) && strcmp(entry->d_name, ours[i]) != 0)
            i++;
        if (i == ARRAY_SIZE(ours))
            fail_msg("%s is left", entry->d_name);
    }
    if (directory)
        closedir(directory);
}

bool has_blob(struct store *store, const char *name, struct digest digest)
{
    struct store_blob blob;
    struct error err = {0};
    int r = store_find_blob(store, name, &digest, STORE_MAY_WAIT, &blob, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r == 0;
}

bool has_manifest(struct store *store, const char *name, struct digest digest)
{
    struct error err = {0};
    int r = store_has_manifest(store, name, &digest, STORE_MAY_WAIT, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r == 0;
}

struct digest tag_of(struct store *store, const char *name, const char *tag)
{
    struct digest digest = {0};
    struct error err = {0};

    if (store_resolve_tag(store, name, tag, STORE_MAY_WAIT, &digest, &err) < 0)
        fail_msg("%s", err.text);
    return digest;
}

static const char *join(int r, struct store_names *names, const struct error *err)
{
    static char texts[BUFFERS][4096];
    static int next;
    char *text = texts[next++ % BUFFERS];
    size_t used = 0;

    if (r < 0)
        fail_msg("%s", err->text);
    snprintf(text, sizeof(texts[0]), "%s", r == STORE_NOT_FOUND ? "none" : "");
    for (size_t i = 0; i < names->count; i++)
        used += (size_t)snprintf(text + used, sizeof(texts[0]) - used, "%s ", names->items[i]);
    if (names->has_more)
        snprintf(text + used, sizeof(texts[0]) - used, "+");
    store_names_done(names);
    return text;
}

const char *tags_of(struct store *store, const char *name, const char *last, size_t n)
{
    struct store_names names = {0};
    struct error err = {0};
    int r = store_list_tags(store, name, last, n, &names, &err);

    return join(r, &names, &err);
}

const char *repositories_of(struct store *store, const char *last, size_t n)
{
    struct store_names names = {0};
    struct error err = {0};
    int r = store_list_repositories(store, last, n, NULL, &names, &err);

    return join(r, &names, &err);
}

static struct store_digests list_referrers(struct store *store, const char *name,
                                           struct digest subject)
{
    struct store_digests digests = {0};
    struct error err = {0};
    size_t kept = 0;
    int r;

    while ((r = store_list_referrers(store, name, &subject, &digests, &err)) == STORE_WOULD_WAIT)
        continue;
    if (r < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < digests.count; i++)
        if (store_has_manifest(store, name, &digests.items[i], STORE_MAY_WAIT, &err) == 0)
            digests.items[kept++] = digests.items[i];
    digests.count = kept;
    return digests;
}

size_t count_referrers(struct store *store, const char *name, struct digest subject)
{
    CLEANUP(store_digests_done) struct store_digests digests = list_referrers(store, name, subject);

    return digests.count;
}

bool is_referrer(struct store *store, const char *name, struct digest subject, struct digest digest)
{
    CLEANUP(store_digests_done) struct store_digests digests = list_referrers(store, name, subject);

    for (size_t i = 0; i < digests.count; i++) {
        if (digest_is_equal(&digests.items[i], &digest))
            return true;
    }
    return false;
}

void assert_manifest_is(struct store *store, const char *name, struct digest digest,
                        const char *type, const char *text)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    struct error err = {0};
    int r = store_get_manifest(store, name, &digest, STORE_MAY_WAIT, &content, &err);

    if (r != 0)
        fail_msg("%s: %d %s", text_of(digest), r, err.text);
    assert_string_equal(content.bytes, text);
    assert_int_equal(content.size, strlen(text));
    assert_string_equal(content.media_type, type);
}
