/* Quotas on a storage in memory, whose clock the test sets. */
#include "registry/core/quota.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "registry/core/collect.h"
#include "tests/unit/registry-core/support.h"
#include "tests/unit/registry-storage/memory-storage.h"

enum { DAY = 24 * 60 * 60 };

static struct storage *storage;
static struct store *store;
static struct store_quota quota;

/* Repositories whose names begin with "t" share a quota; "t-both" has a second one. */
static size_t find(void *object, const char *name, struct store_quota ret[QUOTAS_OF_ONE])
{
    (void)object;
    if (name[0] != 't')
        return 0;
    ret[0] = quota;
    ret[1] = (struct store_quota){.id = "2", .label = "other", .limit = 1};
    return strcmp(name, "t-both") == 0 ? 2 : 1;
}

static int set_up(void **state)
{
    struct error err = {0};

    (void)state;
    storage = memory_storage_new();
    quota = (struct store_quota){.id = "1", .label = "t*", .limit = 10};
    assert_int_equal(store_open(storage, &store, &err), 0);
    store_set_quotas(store, find, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static uint64_t used(void)
{
    struct error err;
    uint64_t bytes = 0;

    assert_int_equal(store_find_used(store, "1", &bytes, &err), 0);
    return bytes;
}

static uint64_t recount(void)
{
    struct error err;
    uint64_t bytes = 0;

    assert_int_equal(store_recount(store, &quota, &(struct recount_options){0}, &bytes, &err), 0);
    assert_int_equal(used(), bytes);
    return bytes;
}

/* The outcome of uploading text. */
static int upload(const char *name, const char *text)
{
    struct upload *session;
    struct error err = {0};
    struct digest digest = sha256_of(text);
    int r;

    assert_int_equal(store_upload_create(store, name, DIGEST_SHA256, &session, &err), 0);
    assert_int_equal(upload_write(session, text, strlen(text), &err), 0);
    r = upload_commit(session, &digest, NULL, &err);
    if (r == STORE_OVER_QUOTA)
        assert_non_null(strstr(err.text, "the quota of t* is "));
    upload_release(session);
    return r;
}

static uint64_t room(const char *name)
{
    struct error err;
    uint64_t bytes;

    assert_int_equal(store_find_room(store, name, 1, &bytes, &err), 0);
    return bytes;
}

static void a_push_beyond_the_quota_is_refused(void **state)
{
    (void)state;
    assert_int_equal(recount(), 0);
    assert_int_equal(upload("t1", "123456"), 0);
    assert_int_equal(used(), 6);
    assert_int_equal(room("t2"), 4);
    assert_true(room("other") == UINT64_MAX);
    assert_int_equal(upload("t2", "12345"), STORE_OVER_QUOTA);
    assert_int_equal(used(), 6);
    assert_false(has_blob(store, "t2", sha256_of("12345")));
    assert_int_equal(upload("t2", "1234"), 0);
    assert_int_equal(room("t1"), 0);
    assert_int_equal(upload("other", "a blob as large as you like"), 0);
    quota.limit = 3; /* less than what is in use */
    assert_int_equal(room("t1"), 0);
    assert_int_equal(upload("t1", "1"), STORE_OVER_QUOTA);
}

static void a_blob_counts_once(void **state)
{
    struct digest digest = sha256_of("123456");
    struct error err;

    (void)state;
    assert_int_equal(recount(), 0);
    assert_int_equal(upload("other", "123456"), 0);
    assert_int_equal(used(), 0);
    assert_int_equal(store_mount_blob(store, "t1", &digest, "other", NULL, &err), 0);
    assert_int_equal(used(), 6);
    assert_int_equal(upload("t2", "123456"), 0);
    assert_int_equal(upload("t1", "123456"), 0);
    assert_int_equal(store_mount_blob(store, "t3", &digest, "t1", NULL, &err), 0);
    assert_int_equal(used(), 6);
    assert_int_equal(store_is_counted(store, "t4", &digest, &err), 1);
    assert_int_equal(store_is_counted(store, "t-both", &digest, &err), 0);
    assert_int_equal(upload("other", "1234567"), 0);
    digest = sha256_of("1234567");
    assert_int_equal(store_mount_blob(store, "t1", &digest, "other", NULL, &err), STORE_OVER_QUOTA);
    assert_int_equal(recount(), 6);
}

static void what_was_there_before_is_counted(void **state)
{
    (void)state;
    assert_int_equal(upload("t1", "12345678901234567890"),
                     0); /* not counted yet: nothing is refused */
    assert_int_equal(upload("t2", "123"), 0);
    assert_true(room("t1") == UINT64_MAX);
    assert_int_equal(recount(), 23);
    assert_int_equal(room("t1"), 0);
    assert_int_equal(upload("t1", "1"), STORE_OVER_QUOTA);
}

static void what_is_collected_counts_no_longer(void **state)
{
    const struct collect_options options = {.grace_s = DAY};
    struct collect_result result;
    struct digest digest = sha256_of("123456");
    struct error err;

    (void)state;
    assert_int_equal(recount(), 0);
    assert_int_equal(upload("t1", "123456"), 0);
    assert_int_equal(store_unlink_blob(store, "t1", &digest, NULL, &err), 0);
    assert_int_equal(recount(),
                     6); /* counted recently, so its link may not have been written yet */
    memory_storage_pass_time(storage, 2 * DAY);
    assert_int_equal(store_collect(store, &options, &result, &err), 0);
    assert_int_equal(result.bytes, 6);
    assert_true(store_find_collected(store) > store_find_counted(store, "1"));
    assert_int_equal(recount(), 0);
    assert_int_equal(upload("t1", "1234567890"), 0);
    assert_int_equal(used(), 10);
}

/* A crash between the bytes and the blob, and a record that a power failure has emptied. */
static void a_recount_corrects(void **state)
{
    (void)state;
    assert_int_equal(recount(), 0);
    assert_int_equal(upload("t1", "123"), 0);
    memory_storage_set(storage, "registryd/quotas/1/used", "9\n", 2);
    assert_int_equal(upload("t1", "12"), STORE_OVER_QUOTA);
    assert_int_equal(recount(), 3);
    memory_storage_set(storage, "registryd/quotas/1/used", "", 0);
    assert_int_equal(upload("t1", "12"), 0);
    assert_int_equal(recount(), 5);
}

static void every_quota_must_have_room(void **state)
{
    struct store_quota other = {.id = "2", .label = "other", .limit = 1};
    struct error err;
    uint64_t bytes;

    (void)state;
    assert_int_equal(recount(), 0);
    assert_int_equal(store_recount(store, &other, &(struct recount_options){0}, &bytes, &err), 0);
    assert_int_equal(room("t-both"), 1);
    assert_int_equal(upload("t1", "12"), 0);
    memory_storage_pass_time(storage, 100);
    {
        struct digest digest = sha256_of("12");

        assert_int_equal(store_mount_blob(store, "t-both", &digest, "t1", NULL, &err),
                         STORE_OVER_QUOTA);
    }
    assert_non_null(strstr(err.text, "other"));
}

static void manifests_count_too(void **state)
{
    struct error err;
    struct digest digest = sha256_of("{}");
    const struct store_manifest manifest = {.digest = sha256_of("01234567890123456789"),
                                            .media_type = IMAGE_TYPE,
                                            .bytes = "01234567890123456789",
                                            .size = 20};

    (void)state;
    assert_int_equal(recount(), 0);
    assert_int_equal(upload("t1", "{}"), 0);
    assert_int_equal(store_put_manifest(store, "t1", &manifest, &err), STORE_OVER_QUOTA);
    quota.limit = 22;
    assert_int_equal(store_put_manifest(store, "t1", &manifest, &err), 0);
    assert_int_equal(used(), 22);
    assert_int_equal(store_put_manifest(store, "t1", &manifest, &err), 0);
    assert_int_equal(recount(), 22);
    assert_true(has_blob(store, "t1", digest));
}

/* A blob that is pushed between the two parts of a recount is in neither, and must not be lost. */
static int push_meanwhile(void *object, struct error *err)
{
    unsigned *step = object;

    struct digest coming = sha256_of("coming");

    if (++*step == 2)
        assert_int_equal(upload("t0", "meantime"), 0);
    if (*step == 3) /* counted, and its bytes are not there yet */
        assert_int_equal(quota_charge(store, "t0", &coming, 6, err), 0);
    return 0;
}

static void a_push_during_a_recount_is_counted(void **state)
{
    unsigned step = 0;
    struct error err;
    uint64_t bytes = 0;

    (void)state;
    quota.limit = 100;
    assert_int_equal(recount(), 0);
    assert_int_equal(upload("t0", "old"), 0);
    assert_int_equal(upload("t1", "other"), 0);
    memory_storage_pass_time(storage, DAY);
    assert_int_equal(store_recount(store, &quota,
                                   &(struct recount_options){
                                       .pace = push_meanwhile, .object = &step},
                                   &bytes, &err),
                     0);
    assert_int_equal(bytes, 22);
    assert_int_equal(used(), 22);
    memory_storage_pass_time(storage, DAY);
    assert_int_equal(recount(), 16); /* they never came */
}

/* Each step in its order, with how many units it has. */
static void note_progress(void *object, const struct progress *progress)
{
    FILE *out = object;

    fprintf(out, "%s %" PRIu64 "/%" PRIu64 " %s\n", progress->step, progress->done,
            progress->total, progress->unit);
}

static void a_recount_tells_its_progress(void **state)
{
    CLEANUP_FREE char *text = NULL;
    struct error err;
    uint64_t bytes = 0;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    quota.limit = 100;
    assert_int_equal(upload("t0", "one"), 0);
    assert_int_equal(upload("t1", "three"), 0);
    assert_int_equal(store_recount(store, &quota,
                                   &(struct recount_options){.progress = note_progress,
                                                             .progress_object = out},
                                   &bytes, &err),
                     0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(bytes, 8);
    assert_string_equal(text, "listing blobs 0/2 repositories\n"
                              "listing blobs 1/2 repositories\n"
                              "counting blobs 0/2 blobs\n"
                              "counting blobs 1/2 blobs\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_push_beyond_the_quota_is_refused),
        CASE(a_blob_counts_once),
        CASE(what_was_there_before_is_counted),
        CASE(what_is_collected_counts_no_longer),
        CASE(a_recount_corrects),
        CASE(every_quota_must_have_room),
        CASE(manifests_count_too),
        CASE(a_push_during_a_recount_is_counted),
        CASE(a_recount_tells_its_progress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
