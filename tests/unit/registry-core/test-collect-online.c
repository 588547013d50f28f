/*
 * Garbage collection during pushes. The pusher's actions between mark and sweep, or during the
 * mark, run in the callback for the collection's output lines, or while it reads a list.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "registry/core/collect.h"
#include "registry/storage/filesystem/filesystem.h"
#include "tests/unit/registry-core/support.h"

enum { GRACE_S = 60 * 60 };

/* --- time passes ------------------------------------------------------------------------- */

static int make_one_old(const char *path, const struct stat *st, int type, struct FTW *where)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    (void)st, (void)where;
    return type == FTW_F ? utimensat(AT_FDCWD, path, times, 0) : 0;
}

static void let_time_pass(void)
{
    assert_int_equal(nftw(ROOT, make_one_old, 16, FTW_PHYS), 0);
}

/* --- concurrent actions ------------------------------------------------------------------ */

struct meanwhile {
    struct store *store;
    void (*act)(struct meanwhile *meanwhile);
    struct digest digest;
    const char *text;
    int result;
};

static void want_blob(struct meanwhile *meanwhile)
{
    struct store_blob blob;
    struct error err = {0};

    meanwhile->result =
        store_want_blob(meanwhile->store, "a", &meanwhile->digest, STORE_MAY_WAIT, &blob, &err);
}

static void want_manifest(struct meanwhile *meanwhile)
{
    struct error err = {0};

    meanwhile->result =
        store_want_manifest(meanwhile->store, "a", &meanwhile->digest, STORE_MAY_WAIT, &err);
}

static void mount(struct meanwhile *meanwhile)
{
    struct error err = {0};

    meanwhile->result =
        store_mount_blob(meanwhile->store, "new/one", &meanwhile->digest, NULL, NULL, &err);
}

static void upload(struct meanwhile *meanwhile)
{
    push_blob(meanwhile->store, "a", meanwhile->text);
}

static void want_and_push(struct meanwhile *meanwhile)
{
    want_blob(meanwhile);
    push_manifest(meanwhile->store, "a", "t", IMAGE_TYPE,
                  image_of(meanwhile->digest, "late", NULL));
}

static void say(void *object, const char *line)
{
    struct meanwhile *meanwhile = object;

    if (strstr(line, " eligible for deletion") && *line == '\n' && meanwhile && meanwhile->act)
        meanwhile->act(meanwhile);
}

static struct collect_result collect(struct store *store, bool does_untag,
                                     struct meanwhile *meanwhile)
{
    struct collect_options options = {
        .does_untag = does_untag, .grace_s = GRACE_S, .say = say, .object = meanwhile};
    struct collect_result result = {0};
    struct error err = {0};

    if (meanwhile)
        meanwhile->store = store;
    if (store_collect(store, &options, &result, &err) != 0)
        fail_msg("%s", err.text);
    return result;
}

/* --- the cases --------------------------------------------------------------------------- */

static void new_objects_stay_for_the_grace_period(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest blob = push_blob(store, "a", "blob"),
                  image = push_image(store, "a", NULL, "1", NULL);

    (void)state;
    assert_int_equal(collect(store, true, NULL).blobs, 0);
    assert_true(has_blob(store, "a", blob) && has_manifest(store, "a", image));
    let_time_pass();
    assert_int_equal(collect(store, true, NULL).manifests, 1);
    assert_false(has_blob(store, "a", blob) || has_manifest(store, "a", image));
    assert_is_absent(below("blobs/sha256/%.2s/%s", blob.hex, blob.hex));
}

static void a_blob_wanted_during_the_sweep_stays(void **state)
{
    static void (*const acts[])(struct meanwhile *) = {want_blob, mount, upload, want_and_push};
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
        struct meanwhile meanwhile = {
            .act = acts[i], .digest = push_blob(store, "a", "blob"), .text = "blob"};
        struct digest other = push_blob(store, "a", "other");

        let_time_pass();
        collect(store, true, &meanwhile);
        assert_int_equal(meanwhile.result, 0);
        assert_true(has_blob(store, acts[i] == mount ? "new/one" : "a", meanwhile.digest));
        assert_false(has_blob(store, "a", other));
    }
    assert_string_equal(tags_of(store, "a", NULL, 9), "t ");
}

static void a_blob_wanted_by_its_sha512_stays(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct meanwhile meanwhile = {.act = want_blob, .digest = sha512_of("long")};
    struct upload *session;
    struct error err = {0};

    (void)state;
    assert_int_equal(store_upload_create(store, "a", DIGEST_SHA512, &session, &err), 0);
    assert_int_equal(upload_write(session, "long", 4, &err), 0);
    assert_int_equal(upload_commit(session, &meanwhile.digest, NULL, &err), 0);
    upload_release(session);
    let_time_pass();
    collect(store, true, &meanwhile);
    assert_int_equal(meanwhile.result, 0);
    assert_true(has_blob(store, "a", meanwhile.digest) && has_blob(store, "a", sha256_of("long")));
    let_time_pass();
    collect(store, true, NULL);
    assert_false(has_blob(store, "a", meanwhile.digest) || has_blob(store, "a", sha256_of("long")));
    assert_is_absent(below("blobs/sha512/%.2s/%s", meanwhile.digest.hex, meanwhile.digest.hex));
}

/* registry:2 links existing data without updating its time. */
static void the_target_of_a_new_link_stays(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest blob = push_blob(store, "a", "blob");

    (void)state;
    let_time_pass();
    make_file(below("repositories/b/_layers/sha256/%s/link", blob.hex), text_of(blob));
    collect(store, true, NULL);
    assert_true(has_blob(store, "b", blob));
}

static void an_index_keeps_its_children(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest child = push_image(store, "a", NULL, "1", NULL),
                  other = push_image(store, "a", NULL, "2", NULL);
    struct digest index = push_manifest(store, "a", NULL, INDEX_TYPE, index_of(child, &other));
    struct digest signature = push_image(store, "a", NULL, "signature", &index);
    struct digest stranger = push_image(store, "a", NULL, "stranger", NULL);
    const struct digest family[] = {child, other, index, signature};
    static const char *const blobs[] = {"1", "2", "signature"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(family); i++) {
        struct meanwhile meanwhile = {.act = want_manifest, .digest = family[i]};

        let_time_pass();
        assert_int_equal(collect(store, true, &meanwhile).manifests, i == 0 ? 5 : 4);
        assert_int_equal(meanwhile.result, 0);
        for (size_t k = 0; k < ARRAY_SIZE(family); k++)
            assert_true(has_manifest(store, "a", family[k]));
        for (size_t k = 0; k < ARRAY_SIZE(blobs); k++)
            assert_true(has_blob(store, "a", sha256_of(blobs[k])));
        assert_false(has_manifest(store, "a", stranger) ||
                     has_blob(store, "a", sha256_of("stranger")));
        assert_true(is_referrer(store, "a", index, signature));
    }
    let_time_pass();
    collect(store, true, NULL);
    for (size_t k = 0; k < ARRAY_SIZE(family); k++)
        assert_false(has_manifest(store, "a", family[k]));
}

/* A child is pushed before its index, and references of a new manifest count as new. */
static void references_of_a_new_manifest_stay(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest child = push_image(store, "a", NULL, "1", NULL), index;

    (void)state;
    let_time_pass();
    index = push_manifest(store, "a", NULL, INDEX_TYPE, index_of(child, NULL));
    assert_int_equal(collect(store, true, NULL).manifests, 0);
    assert_true(has_manifest(store, "a", index) && has_manifest(store, "a", child));
    assert_true(has_blob(store, "a", sha256_of("1")));
}

static void an_entry_stays_until_its_manifest_arrives(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest subject = push_image(store, "a", "t", "subject", NULL),
                  coming = sha256_of("coming");
    const char *entry = below("repositories/a/_manifests/referrers/sha256/%s/sha256/%s/link",
                              subject.hex, coming.hex);

    (void)state;
    make_file(entry, text_of(coming));
    collect(store, true, NULL);
    assert_file_is(entry, text_of(coming));
    let_time_pass();
    collect(store, true, NULL);
    assert_is_absent(entry);
}

static void objects_being_written_stay(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    make_file(below("_temporary/now"), "");
    collect(store, true, NULL);
    assert_file_is(below("_temporary/now"), "");
    let_time_pass();
    collect(store, true, NULL);
    assert_is_absent(below("_temporary/now"));
}

/* --- deleted while the manifests are read ------------------------------------------------ */

static const struct storage_functions *real;
static struct storage_functions busy;
static struct storage *busy_storage;
static struct store *busy_store;
static struct digest doomed_one;

static void open_busy_store(void)
{
    struct error err = {0};

    assert_int_equal(filesystem_open("root", FILESYSTEM_SERVES, &busy_storage, &err), 0);
    real = busy_storage->functions;
    busy = *real;
    assert_int_equal(store_open(busy_storage, &busy_store, &err), 0);
}

/* With whatever busy has been given to do. */
static void collect_while_busy(void)
{
    busy_storage->functions = &busy;
    collect(busy_store, true, NULL);
    busy_storage->functions = real;
}

static int list_and_delete(struct storage *storage, const char *prefix, const char *after,
                           size_t limit, struct storage_list *ret, struct error *err)
{
    int r = real->list(storage, prefix, after, limit, ret, err);

    if (r == 0 && strstr(prefix, "/revisions/sha256"))
        assert_int_equal(store_delete_manifest(busy_store, "a", &doomed_one, NULL, err), 0);
    return r;
}

static void a_concurrently_deleted_manifest_does_not_stop_the_collection(void **state)
{
    struct digest kept;

    (void)state;
    open_busy_store();
    doomed_one = push_image(busy_store, "a", "t", "1", NULL);
    kept = push_image(busy_store, "a", "u", "2", NULL);
    busy.list = list_and_delete;
    collect_while_busy();
    assert_true(has_manifest(busy_store, "a", kept));
    assert_false(has_manifest(busy_store, "a", doomed_one));
    store_close(busy_store);
}

/*
 * A delete that is interrupted between a manifest's two digests leaves one, by which its bytes are
 * found.
 */
static void a_manifest_with_only_its_sha512_stops_nothing(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    const char *text = index_of(push_image(store, "a", "child", "1", NULL), NULL), *tag = "t";
    struct store_manifest manifest = {.digest = sha512_of(text),
                                      .media_type = INDEX_TYPE,
                                      .bytes = text,
                                      .size = strlen(text),
                                      .tags = &tag,
                                      .tag_count = 1};
    struct digest canonical = sha256_of(text);
    struct error err = {0};

    (void)state;
    assert_int_equal(store_put_manifest(store, "a", &manifest, &err), 0);
    assert_int_equal(
        remove(below("repositories/a/_manifests/revisions/sha256/%s/link", canonical.hex)), 0);
    collect(store, true, NULL);
    assert_true(has_manifest(store, "a", manifest.digest));
}

/* --- pushed while the links are read ----------------------------------------------------- */

static struct digest tagged;
static bool is_tagged;

/* A push has created the tag's directory already; its link comes right after the look for it. */
static int get_and_tag(struct storage *storage, const char *key, size_t limit,
                       enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                       struct error *err)
{
    int r = real->get(storage, key, limit, waiting, ret_bytes, ret_size, err);

    if (!is_tagged && strstr(key, "/tags/new/current/link")) {
        is_tagged = true;
        assert_int_equal(r, STORAGE_NOT_FOUND);
        assert_int_equal(store_put_tag(busy_store, "a", "new", &tagged, err), 0);
    }
    return r;
}

static void a_tag_created_during_the_lookup_is_not_empty(void **state)
{
    (void)state;
    open_busy_store();
    tagged = push_image(busy_store, "a", "t", "1", NULL);
    make_directory(below("repositories/a/_manifests/tags/new/current"));
    is_tagged = false;
    busy.get = get_and_tag;
    collect_while_busy();
    assert_true(is_tagged);
    assert_true(has_manifest(busy_store, "a", tagged));
    assert_string_equal(tags_of(busy_store, "a", NULL, SIZE_MAX), "new t ");
    store_close(busy_store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(new_objects_stay_for_the_grace_period),
        scratch_test(a_blob_wanted_during_the_sweep_stays),
        scratch_test(a_blob_wanted_by_its_sha512_stays),
        scratch_test(the_target_of_a_new_link_stays),
        scratch_test(an_index_keeps_its_children),
        scratch_test(references_of_a_new_manifest_stay),
        scratch_test(an_entry_stays_until_its_manifest_arrives),
        scratch_test(objects_being_written_stay),
        scratch_test(a_concurrently_deleted_manifest_does_not_stop_the_collection),
        scratch_test(a_manifest_with_only_its_sha512_stops_nothing),
        scratch_test(a_tag_created_during_the_lookup_is_not_empty),
    };

    return cmocka_run_group_tests_name("store-collect-online", tests, NULL, NULL);
}
