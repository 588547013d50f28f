#include "registry/core/collect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

static char said[65536];

static void say(void *object, const char *line)
{
    size_t used = strlen(said);

    (void)object;
    snprintf(said + used, sizeof(said) - used, "%s\n", line);
}

static int try_to_collect(struct store *store, bool is_dry_run, bool does_untag,
                          struct collect_result *ret, struct error *err)
{
    const struct collect_options options = {
        .is_dry_run = is_dry_run, .does_untag = does_untag, .say = say};

    said[0] = '\0';
    return store_collect(store, &options, ret, err);
}

static struct collect_result collect(struct store *store, bool does_untag)
{
    struct collect_result result = {0};
    struct error err = {0};

    if (try_to_collect(store, false, does_untag, &result, &err) != 0)
        fail_msg("%s", err.text);
    return result;
}

/* Whether the data exists, for any repository. */
static bool has_bytes(struct digest digest)
{
    FILE *file = fopen(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex), "r");

    if (file)
        fclose(file);
    return file;
}

static void unreferenced_blobs_are_removed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", "t", "1", NULL),
                  garbage = push_blob(store, "a", "garbage");
    struct collect_result result = collect(store, false);

    (void)state;
    assert_int_equal(result.marked, 2);
    assert_int_equal(result.blobs, 1);
    assert_int_equal(result.manifests, 0);
    assert_true(has_manifest(store, "a", image));
    assert_true(has_blob(store, "a", sha256_of("1")));
    assert_false(has_blob(store, "a", garbage));
    assert_is_absent(below("blobs/sha256/%.2s/%s", garbage.hex, garbage.hex));
    assert_is_absent(below("repositories/a/_layers/sha256/%s", garbage.hex));
}

static void the_output_is_that_of_registry_2(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a/b", "t", "1", NULL),
                  garbage = push_blob(store, "c", "garbage");
    char expected[4096];

    (void)state;
    collect(store, false);
    snprintf(expected, sizeof(expected),
             "a/b\na/b: marking manifest %s \na/b: marking blob %s\nc\n"
             "\n2 blobs marked, 1 blob and 0 manifests eligible for deletion\nblob eligible for "
             "deletion: %s\n",
             text_of(image), text_of(sha256_of("1")), text_of(garbage));
    assert_string_equal(said, expected);
}

static void a_dry_run_changes_nothing(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", NULL, "1", NULL),
                  garbage = push_blob(store, "a", "garbage");
    struct collect_result result;
    struct error err = {0};

    (void)state;
    make_file(below("_temporary/left"), "");
    assert_int_equal(try_to_collect(store, true, true, &result, &err), 0);
    assert_int_equal(result.marked, 0);
    assert_int_equal(result.blobs, 3);
    assert_int_equal(result.manifests, 1);
    assert_true(has_manifest(store, "a", image));
    assert_true(has_blob(store, "a", garbage));
    assert_file_is(below("_temporary/left"), "");
}

static void untagged_manifests_stay_without_the_option(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest old = push_image(store, "a", "t", "1", NULL),
                  new = push_image(store, "a", "t", "2", NULL);
    struct collect_result result = collect(store, false);

    (void)state;
    assert_int_equal(result.manifests, 0);
    assert_true(has_manifest(store, "a", old));
    result = collect(store, true);
    assert_int_equal(result.manifests, 1);
    assert_int_equal(result.blobs, 2);
    assert_false(has_manifest(store, "a", old));
    assert_false(has_bytes(old));
    assert_false(has_bytes(sha256_of("1")));
    assert_true(has_manifest(store, "a", new));
    assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "t ");
}

static void manifests_tagged_in_another_repository_stay_there(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", NULL, "1", NULL);

    (void)state;
    push_image(store, "b", "t", "1", NULL);
    collect(store, true);
    assert_false(has_manifest(store, "a", image));
    assert_true(has_manifest(store, "b", image));
    assert_true(has_blob(store, "b", sha256_of("1")));
}

/* registry:2 deletes these (distribution's issue 3178). */
static void children_of_a_kept_index_stay(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest amd64 = push_image(store, "a", NULL, "amd64", NULL);
    struct digest arm64 = push_image(store, "a", NULL, "arm64", NULL);
    struct digest index = push_manifest(store, "a", NULL, INDEX_TYPE, index_of(amd64, &arm64));
    struct digest other = push_image(store, "a", NULL, "other", NULL);

    (void)state;
    push_manifest(store, "a", "t", INDEX_TYPE, index_of(index, NULL));
    collect(store, true);
    assert_true(has_manifest(store, "a", index));
    assert_true(has_manifest(store, "a", amd64));
    assert_true(has_manifest(store, "a", arm64));
    assert_true(has_blob(store, "a", sha256_of("arm64")));
    assert_false(has_manifest(store, "a", other));
}

static void children_are_removed_with_their_index(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest amd64 = push_image(store, "a", NULL, "amd64", NULL);
    struct digest index = push_manifest(store, "a", "t", INDEX_TYPE, index_of(amd64, NULL));
    struct error err = {0};

    (void)state;
    assert_int_equal(store_delete_tag(store, "a", "t", NULL, &err), 0);
    collect(store, true);
    assert_false(has_bytes(index));
    assert_false(has_bytes(amd64));
    assert_false(has_bytes(sha256_of("amd64")));
}

static void referrers_of_kept_manifests_stay(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", NULL, "image", NULL);
    struct digest signature = push_image(store, "a", NULL, "signature", &image);
    struct digest stamp = push_image(store, "a", NULL, "stamp of the signature", &signature);
    struct digest old = push_image(store, "a", NULL, "old", NULL);
    struct digest old_signature = push_image(store, "a", NULL, "old signature", &old);

    (void)state;
    push_manifest(store, "a", "t", INDEX_TYPE, index_of(image, NULL));
    collect(store, true);
    assert_true(is_referrer(store, "a", image, signature));
    assert_true(is_referrer(store, "a", signature, stamp));
    assert_true(has_blob(store, "a", sha256_of("stamp of the signature")));
    assert_false(has_bytes(old));
    assert_false(has_bytes(old_signature));
    assert_int_equal(count_referrers(store, "a", old), 0);
}

/* An index and a referrer reference each other indirectly; the walk must end. */
static void a_cycle_does_not_loop_forever(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", NULL, "image", NULL);
    struct digest signature = push_image(store, "a", NULL, "signature", &image);

    (void)state;
    push_manifest(store, "a", NULL, INDEX_TYPE, index_of(image, &signature));
    push_manifest(store, "a", "t", INDEX_TYPE, index_of(signature, &image));
    collect(store, true);
    assert_true(has_manifest(store, "a", image));
    assert_true(has_manifest(store, "a", signature));
}

static void a_sha512_digest_leads_to_the_same_data(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    const char *text, *tags[] = {"t"};
    struct digest config = sha512_of("config");
    struct upload *upload;
    struct error err = {0};
    struct store_manifest manifest = {.media_type = IMAGE_TYPE, .tags = tags, .tag_count = 1};
    struct collect_result result;

    (void)state;
    assert_int_equal(store_upload_create(store, "a", DIGEST_SHA512, &upload, &err), 0);
    assert_int_equal(upload_write(upload, "config", 6, &err), 0);
    assert_int_equal(upload_commit(upload, &config, NULL, &err), 0);
    upload_release(upload);
    text = image_of(config, "x", NULL);
    manifest.digest = sha512_of(text);
    manifest.bytes = text;
    manifest.size = strlen(text);
    assert_int_equal(store_put_manifest(store, "a", &manifest, &err), 0);
    result = collect(store, true);
    assert_int_equal(result.marked, 2);
    assert_int_equal(result.blobs, 0);
    assert_true(has_blob(store, "a", config));
    assert_true(has_manifest(store, "a", manifest.digest));
    assert_file_is(below("blobs/sha512/%.2s/%s/link", config.hex, config.hex),
                   text_of(sha256_of("config")));
    assert_int_equal(store_delete_tag(store, "a", "t", NULL, &err), 0);
    result = collect(store, true);
    assert_int_equal(result.blobs, 2);
    assert_false(has_manifest(store, "a", manifest.digest));
    assert_is_absent(below("repositories/a/_layers/sha512/%s", config.hex));
    assert_is_absent(below("blobs/sha512/%.2s/%s", config.hex, config.hex));
}

/* Nothing may be removed with incomplete information. */
static void read_errors_stop_the_collection(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "b", "t", "1", NULL),
                  garbage = push_blob(store, "a", "garbage");
    struct collect_result result;
    struct error err = {0};

    (void)state;
    push_image(store, "a", NULL, "untagged", NULL);
    make_file(below("blobs/sha256/%.2s/%s/data", image.hex, image.hex), "torn");
    assert_int_equal(try_to_collect(store, false, true, &result, &err), -EBADMSG);
    assert_says(&err, "nothing was removed, because the manifest sha256:");
    assert_says(&err, "do not match its digest");
    assert_int_equal(remove(below("blobs/sha256/%.2s/%s/data", image.hex, image.hex)), 0);
    assert_int_equal(try_to_collect(store, false, true, &result, &err), -ENOENT);
    assert_says(&err, "its bytes are missing");
    make_file(below("repositories/b/_manifests/revisions/sha256/%s/link", image.hex), "");
    assert_int_equal(try_to_collect(store, false, true, &result, &err), -EBADMSG);
    assert_says(&err, "is empty");
    assert_true(has_blob(store, "a", garbage));
    assert_true(has_blob(store, "a", sha256_of("untagged")));
    assert_int_equal(remove(below("repositories/b/_manifests/revisions/sha256/%s/link", image.hex)),
                     0);
    assert_int_equal(try_to_collect(store, false, true, &result, &err), 0);
    assert_false(has_blob(store, "a", garbage));
}

/* Otherwise --delete-untagged would remove the tag's manifest. */
static void a_truncated_tag_stops_the_collection(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", "t", "1", NULL);
    struct collect_result result;
    struct error err = {0};

    (void)state;
    make_file(below("repositories/a/_manifests/tags/t/current/link"), "");
    assert_int_equal(try_to_collect(store, false, true, &result, &err), -EBADMSG);
    assert_true(has_manifest(store, "a", image));
    assert_int_equal(try_to_collect(store, false, false, &result, &err), 0);
}

static void a_manifest_of_an_unknown_kind_stops_the_collection(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct collect_result result;
    struct error err = {0};
    struct digest digest = sha256_of("not JSON");

    (void)state;
    make_file(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex), "not JSON");
    make_file(below("repositories/a/_manifests/revisions/sha256/%s/link", digest.hex),
              text_of(digest));
    assert_true(try_to_collect(store, false, false, &result, &err) < 0);
    assert_says(&err, text_of(digest));
    assert_true(has_bytes(digest));
}

static void layers_of_schema_1_stay(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest layer = push_blob(store, "a", "layer"), digest;
    struct collect_result result;
    char text[512];

    (void)state;
    snprintf(text, sizeof(text),
             "{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"%s\"}],\"signatures\":[]}",
             text_of(layer));
    digest = sha256_of(text);
    make_file(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex), text);
    make_file(below("repositories/a/_manifests/revisions/sha256/%s/link", digest.hex),
              text_of(digest));
    result = collect(store, false);
    assert_int_equal(result.marked, 2);
    assert_true(has_blob(store, "a", layer));
    assert_manifest_is(store, "a", digest,
                       "application/vnd.docker.distribution.manifest.v1+prettyjws", text);
}

static void uploads_stay_and_leftovers_are_removed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = sha256_of("hello");
    struct upload *upload;
    struct error err = {0};

    (void)state;
    assert_int_equal(store_upload_create(store, "a", DIGEST_SHA256, &upload, &err), 0);
    assert_int_equal(upload_write(upload, "hello", 5, &err), 0);
    make_file(below("_temporary/left"), "");
    collect(store, true);
    assert_is_absent(below("_temporary/left"));
    assert_int_equal(upload_commit(upload, &digest, NULL, &err), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a", digest));
}

static void dangling_links_are_removed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest gone = sha256_of("gone"), subject = sha256_of("subject");
    struct digest signature = push_image(store, "a", NULL, "signature", &subject);

    (void)state;
    make_file(below("repositories/a/_layers/sha256/%s/link", gone.hex), text_of(gone));
    make_file(below("repositories/a/_layers/sha512/%s/link", sha512_of("gone").hex), "");
    make_file(below("repositories/a/_manifests/referrers/sha256/%s/sha256/%s/link", subject.hex,
                    gone.hex),
              text_of(gone));
    collect(store, false);
    assert_is_absent(below("repositories/a/_layers/sha256/%s", gone.hex));
    assert_is_absent(below("repositories/a/_layers/sha512/%s", sha512_of("gone").hex));
    assert_is_absent(
        below("repositories/a/_manifests/referrers/sha256/%s/sha256/%s", subject.hex, gone.hex));
    assert_true(is_referrer(store, "a", subject, signature));
    assert_file_is(below("repositories/a/_manifests/referrers/sha256/%s/sha256/%s/link",
                         subject.hex, signature.hex),
                   text_of(signature));
}

static void an_empty_store_has_no_garbage(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    collect(store, true);
    assert_string_equal(said, "\n0 blobs marked, 0 blobs and 0 manifests eligible for deletion\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(unreferenced_blobs_are_removed),
        scratch_test(the_output_is_that_of_registry_2),
        scratch_test(a_dry_run_changes_nothing),
        scratch_test(untagged_manifests_stay_without_the_option),
        scratch_test(manifests_tagged_in_another_repository_stay_there),
        scratch_test(children_of_a_kept_index_stay),
        scratch_test(children_are_removed_with_their_index),
        scratch_test(referrers_of_kept_manifests_stay),
        scratch_test(a_cycle_does_not_loop_forever),
        scratch_test(a_sha512_digest_leads_to_the_same_data),
        scratch_test(read_errors_stop_the_collection),
        scratch_test(a_truncated_tag_stops_the_collection),
        scratch_test(a_manifest_of_an_unknown_kind_stops_the_collection),
        scratch_test(layers_of_schema_1_stay),
        scratch_test(uploads_stay_and_leftovers_are_removed),
        scratch_test(dangling_links_are_removed),
        scratch_test(an_empty_store_has_no_garbage),
    };

    return cmocka_run_group_tests_name("store-collect", tests, NULL, NULL);
}
