/* Core on a remote storage without files: it assumes nothing beyond the contract. */
#include <stdio.h>
#include <string.h>

#include "registry/core/collect.h"
#include "registry/core/key.h"
#include "registry/core/verify.h"
#include "tests/unit/registry-core/support.h"
#include "tests/unit/registry-storage/memory-storage.h"

static struct storage *storage;

static struct store *open_memory(void)
{
    struct error err = {0};
    struct store *store;

    storage = memory_storage_new();
    memory_storage_set_far(storage, true);
    assert_int_equal(store_open(storage, &store, &err), 0);
    return store;
}

static struct collect_result collect(struct store *store, uint64_t grace_s)
{
    const struct collect_options options = {.does_untag = true, .grace_s = grace_s};
    struct collect_result result = {0};
    struct error err = {0};

    if (store_collect(store, &options, &result, &err) != 0)
        fail_msg("%s", err.text);
    return result;
}

static void assert_is_whole(struct store *store)
{
    struct verify_result result;
    struct error err = {0};

    assert_int_equal(store_verify(store, &(struct verify_options){0}, &result, &err), 0);
    assert_int_equal(result.damaged + result.missing + result.wrong, 0);
}

static void images_are_pushed_listed_and_deleted(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct digest subject = push_image(store, "a", "v1", "1", NULL),
                  other = push_image(store, "a/b", "v2", "2", NULL);
    struct digest about = push_image(store, "a", NULL, "3", &subject), named;
    struct error err = {0};

    (void)state;
    assert_string_equal(repositories_of(store, NULL, SIZE_MAX), "a a/b ");
    assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "v1 ");
    assert_string_equal(tags_of(store, "c", NULL, SIZE_MAX), "none");
    named = tag_of(store, "a/b", "v2");
    assert_true(digest_is_equal(&named, &other));
    assert_true(is_referrer(store, "a", subject, about));
    assert_is_whole(store);
    assert_int_equal(store_delete_manifest(store, "a", &subject, NULL, &err), 0);
    assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "");
    assert_int_equal(store_delete_tag(store, "a/b", "v2", NULL, &err), 0);
    assert_true(has_manifest(store, "a/b", other));
}

static void callers_that_must_not_wait_get_would_wait(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct digest blob = push_blob(store, "a", "hello"),
                  image = push_image(store, "a", "t", "1", NULL), digest;
    struct store_content content;
    struct store_reader *reader;
    struct store_blob found;
    struct error err = {0};

    (void)state;
    assert_int_equal(store_find_blob(store, "a", &blob, STORE_MUST_NOT_WAIT, &found, &err),
                     STORE_WOULD_WAIT);
    assert_int_equal(store_want_blob(store, "a", &blob, STORE_MUST_NOT_WAIT, &found, &err),
                     STORE_WOULD_WAIT);
    assert_int_equal(store_open_blob(store, "a", &blob, STORE_MUST_NOT_WAIT, &found, &reader, &err),
                     STORE_WOULD_WAIT);
    assert_int_equal(store_resolve_tag(store, "a", "t", STORE_MUST_NOT_WAIT, &digest, &err),
                     STORE_WOULD_WAIT);
    assert_int_equal(store_has_manifest(store, "a", &image, STORE_MUST_NOT_WAIT, &err),
                     STORE_WOULD_WAIT);
    assert_int_equal(store_get_manifest(store, "a", &image, STORE_MUST_NOT_WAIT, &content, &err),
                     STORE_WOULD_WAIT);
    assert_int_equal(
        store_get_wanted_manifest(store, "a", &image, STORE_MUST_NOT_WAIT, &content, &err),
        STORE_WOULD_WAIT);
    assert_int_equal(store_open_blob(store, "a", &blob, STORE_MAY_WAIT, &found, &reader, &err), 0);
    assert_int_equal(store_reader_get_fd(reader), -1);
    store_reader_close(reader);
}

static void an_upload_is_continued_and_committed_once(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct upload *upload = create_upload(store, DIGEST_SHA512), *other;
    char id[UPLOAD_ID_SIZE + 1];
    struct error err = {0};

    (void)state;
    keep_upload_id(upload, id);
    assert_int_equal(upload_write(upload, "hel", 3, &err), 0);
    assert_int_equal(store_upload_open(store, "a/b", id, &other, &err), STORE_BUSY);
    upload_release(upload);
    upload = reopen_upload(store, id);
    assert_int_equal(upload_get_size(upload), 3);
    assert_int_equal(upload_write(upload, "lo", 2, &err), 0);
    assert_int_equal(commit_upload(upload, sha256_of("other")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit_upload(upload, sha512_of("hello")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha512_of("hello")));
    assert_true(has_blob(store, "a/b", sha256_of("hello")));
    assert_int_equal(store_upload_open(store, "a/b", id, &other, &err), STORE_NOT_FOUND);
}

/* As if a server had been stopped while another one took over its upload. */
static void an_upload_whose_claim_is_lost_is_refused(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct upload *slow = create_upload(store, DIGEST_SHA256), *quick;
    char id[UPLOAD_ID_SIZE + 1];
    struct error err = {0};

    (void)state;
    keep_upload_id(slow, id);
    assert_int_equal(upload_write(slow, "evil", 4, &err), 0);
    memory_storage_expire_claims(storage);
    quick = reopen_upload(store, id);
    assert_int_equal(upload_write(quick, "good", 4, &err), 0);
    assert_true(upload_write(slow, "evil", 4, &err) < 0);
    assert_says(&err, "was ended or continued by another request");
    assert_true(commit_upload(slow, sha256_of("evil")) < 0);
    assert_int_equal(commit_upload(quick, sha256_of("evilgood")), 0);
    upload_release(slow);
    upload_release(quick);
}

/* The hash of a server that did not see what another one appended is not used. */
static void a_hash_covers_the_bytes_of_all_writers(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    struct storage_upload *beside;
    char id[UPLOAD_ID_SIZE + 1];
    struct key key;
    struct error err = {0};

    (void)state;
    keep_upload_id(upload, id);
    assert_int_equal(upload_write(upload, "one", 3, &err), 0);
    upload_release(upload);
    key = key_upload("a/b", id, "data");
    assert_int_equal(
        storage_upload_open(storage, key.text, STORAGE_UPLOAD_RESUME, 0, &beside, &err), 0);
    assert_int_equal(storage_upload_append(beside, 3, "two", 3, &err), 0);
    storage_upload_close(beside);
    upload = reopen_upload(store, id);
    assert_int_equal(commit_upload(upload, sha256_of("one")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit_upload(upload, sha256_of("onetwo")), 0);
    upload_release(upload);
}

static void a_good_blob_is_kept_and_a_damaged_one_repaired(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct digest digest = push_blob(store, "a", "hello");
    struct key data = key_blob(&digest);
    struct storage_object before, after;
    struct error err = {0};

    (void)state;
    assert_int_equal(storage_head(storage, data.text, STORAGE_MAY_WAIT, &before, &err), 0);
    push_blob(store, "b", "hello");
    assert_int_equal(storage_head(storage, data.text, STORAGE_MAY_WAIT, &after, &err), 0);
    assert_true(storage_version_is_same(&before.version, &after.version));
    memory_storage_set(storage, data.text, "hellO", 5);
    push_blob(store, "b", "hello");
    assert_is_whole(store);
}

static void unreferenced_objects_are_collected(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct digest kept = push_image(store, "a", "t", "1", NULL),
                  gone = push_image(store, "a", NULL, "2", NULL);
    struct digest garbage = push_blob(store, "b", "garbage"),
                  wanted = push_blob(store, "b", "wanted");
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    assert_int_equal(collect(store, 3600).manifests, 0); /* all is new */
    memory_storage_pass_time(storage, 7200);
    assert_int_equal(store_want_blob(store, "b", &wanted, STORE_MAY_WAIT, &blob, &err), 0);
    assert_int_equal(collect(store, 3600).manifests, 1);
    assert_true(has_manifest(store, "a", kept));
    assert_false(has_manifest(store, "a", gone));
    assert_false(has_blob(store, "b", garbage));
    assert_true(has_blob(store, "b", wanted));
    assert_is_whole(store);
}

static void old_sessions_are_purged(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct upload *upload = create_upload(store, DIGEST_SHA256), *other;
    char id[UPLOAD_ID_SIZE + 1];
    struct key start;
    struct error err = {0};

    (void)state;
    keep_upload_id(upload, id);
    start = key_upload("a/b", id, "startedat");
    memory_storage_set(storage, start.text, "", 0); /* its time was lost in a power failure */
    upload_release(upload);
    assert_int_equal(store_purge_uploads(store, 3600 * 1000, false, NULL, NULL, &err), 0);
    upload_release(reopen_upload(store, id));
    memory_storage_pass_time(storage, 7200);
    assert_int_equal(store_purge_uploads(store, 3600 * 1000, false, NULL, NULL, &err), 0);
    assert_int_equal(store_upload_open(store, "a/b", id, &other, &err), STORE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_pushed_listed_and_deleted),
        cmocka_unit_test(callers_that_must_not_wait_get_would_wait),
        cmocka_unit_test(an_upload_is_continued_and_committed_once),
        cmocka_unit_test(an_upload_whose_claim_is_lost_is_refused),
        cmocka_unit_test(a_hash_covers_the_bytes_of_all_writers),
        cmocka_unit_test(a_good_blob_is_kept_and_a_damaged_one_repaired),
        cmocka_unit_test(unreferenced_objects_are_collected),
        cmocka_unit_test(old_sessions_are_purged),
    };

    return cmocka_run_group_tests_name("core-anywhere", tests, NULL, NULL);
}
