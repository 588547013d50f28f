/*
 * Another program or a faulty disk may write any bytes into the files of the storage. For any
 * content of the small files, the store answers, collects, purges and verifies, or reports an
 * error. The first byte of the input selects the file for the other bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "registry/core/collect.h"
#include "registry/core/media-type.h"
#include "registry/core/store-private.h"
#include "registry/core/verify.h"
#include "registry/storage/filesystem/filesystem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory-directory.h"

bool fuzz_was_accepted;

/* Without a mediaType, so that the type file next to its link is read. */
static const char manifest_text[] = "{\"schemaVersion\":2,\"manifests\":[]}";
static const char id[] = "6a5b9b44-5d3e-4b2e-9a5c-0123456789ab";

static void write_file(struct store *store, const struct key *key, const void *data, size_t size)
{
    struct error err = {0};

    REQUIRE(storage_note(store->storage, key->text, data, size, &err) == 0);
}

/* A manifest with a tag, a blob, a referrer and an upload, so that each kind of file is read. */
static void fill(struct store *store, const struct digest *digest)
{
    const char *tags[] = {"t"};
    struct error err = {0};
    const struct store_manifest manifest = {
        .digest = *digest,
        .media_type = "application/vnd.oci.image.index.v1+json",
        .bytes = manifest_text,
        .size = sizeof(manifest_text) - 1,
        .subject = digest,
        .tags = tags,
        .tag_count = 1,
    };
    struct upload *upload;

    REQUIRE(store_put_manifest(store, "a", &manifest, &err) == 0);
    REQUIRE(store_upload_create(store, "a", DIGEST_SHA256, &upload, &err) == 0);
    upload_release(upload);
}

static struct key key_of(unsigned char which, const struct digest *digest)
{
    struct digest alias;

    REQUIRE(digest_of(DIGEST_SHA512, "x", 1, &alias) == 0);
    switch (which % 9) {
    case 0:
        return key_revision("a", digest, "link");
    case 1:
        return key_tag_current("a", "t");
    case 2:
        return key_revision("a", digest, "media-type");
    case 3:
        return key_upload("a", id, "startedat");
    case 4:
        return key_layer("a", digest);
    case 5:
        return key_blob(digest);
    case 6:
        return key_revision("a", &alias, "link");
    case 7:
        return key_alias(&alias);
    default:
        return key_referrer("a", digest, &alias);
    }
}

static void ask_everything(struct store *store, const struct digest *digest)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    CLEANUP(store_digests_done) struct store_digests referrers = {0};
    CLEANUP(store_names_done) struct store_names tags = {0};
    struct digest tagged, alias;
    struct store_blob blob;
    struct error err = {0};

    REQUIRE(digest_of(DIGEST_SHA512, "x", 1, &alias) == 0);
    if (store_get_manifest(store, "a", digest, STORE_MAY_WAIT, &content, &err) == 0)
        REQUIRE(strlen(content.media_type) < sizeof(content.media_type));
    if (store_resolve_tag(store, "a", "t", STORE_MAY_WAIT, &tagged, &err) == 0)
        REQUIRE(store_has_manifest(store, "a", &tagged, STORE_MAY_WAIT, &err) <= STORE_NOT_FOUND);
    REQUIRE(store_find_blob(store, "a", digest, STORE_MAY_WAIT, &blob, &err) <= STORE_NOT_FOUND);
    REQUIRE(store_want_blob(store, "a", &alias, STORE_MUST_NOT_WAIT, &blob, &err) <=
            STORE_NOT_FOUND);
    REQUIRE(store_list_referrers(store, "a", digest, &referrers, &err) <= 0);
    REQUIRE(store_list_tags(store, "a", NULL, SIZE_MAX, &tags, &err) <= STORE_NOT_FOUND);
}

/* A tag may be dangling: an administrator must repair that. */
static void maintain(struct store *store)
{
    const struct collect_options options = {.does_untag = true};
    struct collect_result collected;
    struct verify_result verified;
    struct error err = {0};

    REQUIRE(store_verify(store, &(struct verify_options){0}, &verified, &err) <= 0);
    fuzz_was_accepted = store_collect(store, &options, &collected, &err) == 0;
    if (fuzz_was_accepted)
        REQUIRE(store_verify(store, &(struct verify_options){0}, &verified, &err) == 0 &&
                verified.missing <= 1);
    REQUIRE(store_purge_uploads(store, 1000, false, NULL, NULL, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char root[MEMORY_DIRECTORY_SIZE];
    struct shown_type type;
    struct storage *storage;
    struct store *store;
    struct digest digest;
    struct error err = {0};
    struct key key;

    if (size == 0)
        return 0;
    media_type_sniff(data + 1, size - 1, &type);
    memory_directory_make(root);
    REQUIRE(filesystem_open(root, FILESYSTEM_SERVES, &storage, &err) == 0 &&
            store_open(storage, &store, &err) == 0);
    REQUIRE(digest_of(DIGEST_SHA256, manifest_text, sizeof(manifest_text) - 1, &digest) == 0);
    fill(store, &digest);
    key = key_of(data[0], &digest);
    write_file(store, &key, data + 1, size - 1);
    ask_everything(store, &digest);
    maintain(store);
    store_close(store);
    memory_directory_remove(root);
    return 0;
}
