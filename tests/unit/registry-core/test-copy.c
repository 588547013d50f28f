/* A registry moves from one storage to another. */
#include <errno.h>
#include <string.h>

#include "registry/core/copy.h"
#include "registry/core/key.h"
#include "registry/core/verify.h"
#include "tests/unit/registry-core/support.h"
#include "tests/unit/registry-storage/memory-storage.h"

struct pair {
    struct storage *from, *to;
    struct store *source, *target;
};

static struct pair open_pair(void)
{
    struct pair pair = {.from = memory_storage_new(), .to = memory_storage_new()};
    struct error err = {0};

    assert_int_equal(store_open(pair.from, &pair.source, &err), 0);
    assert_int_equal(store_open(pair.to, &pair.target, &err), 0);
    return pair;
}

static void close_pair(struct pair *pair)
{
    store_close(pair->source);
    store_close(pair->target);
}

enum { KEEP_SURPLUS, DELETE_SURPLUS };

static struct copy_result copy(const struct pair *pair, int mode)
{
    const struct copy_options options = {.does_delete = mode == DELETE_SURPLUS};
    struct copy_result result = {0};
    struct error err = {0};

    if (store_copy(pair->source, pair->target, &options, &result, &err) != 0)
        fail_msg("%s", err.text);
    return result;
}

static void assert_is_whole(struct store *store)
{
    struct verify_result result;
    struct error err = {0};

    assert_int_equal(store_verify(store, &(struct verify_options){0}, &result, &err), 0);
    assert_int_equal(result.damaged + result.missing + result.wrong, 0);
    assert_true(result.blobs > 0);
}

static bool has_tag(struct storage *storage, const char *name, const char *tag)
{
    struct key key = key_tag_current(name, tag);
    struct storage_object object;
    struct error err = {0};

    return storage_head(storage, key.text, STORAGE_MAY_WAIT, &object, &err) == 0;
}

static void a_copy_has_everything_and_the_next_one_copies_only_what_is_new(void **state)
{
    struct pair pair = open_pair();
    struct copy_result first, second, third;

    (void)state;
    push_image(pair.source, "a", "v1", "1", NULL);
    push_image(pair.source, "a/b", "v2", "2", NULL);
    first = copy(&pair, KEEP_SURPLUS);
    assert_true(first.blobs > 0 && first.links > 0);
    assert_true(has_tag(pair.to, "a", "v1") && has_tag(pair.to, "a/b", "v2"));
    assert_is_whole(pair.target);

    second = copy(&pair, KEEP_SURPLUS);
    assert_int_equal(second.blobs + second.links + second.removed, 0);

    push_image(pair.source, "a", "v3", "3", NULL);
    third = copy(&pair, KEEP_SURPLUS);
    assert_true(third.blobs > 0 && third.blobs < first.blobs);
    assert_true(has_tag(pair.to, "a", "v3"));
    assert_is_whole(pair.target);
    close_pair(&pair);
}

static void the_last_copy_removes_what_the_source_lost(void **state)
{
    struct pair pair = open_pair();
    struct key tag = key_tag_current("a", "v1");
    const char *const keys[] = {tag.text};
    struct error err = {0};

    (void)state;
    push_image(pair.source, "a", "v1", "1", NULL);
    push_image(pair.source, "a", "v2", "2", NULL);
    (void)copy(&pair, KEEP_SURPLUS);
    assert_int_equal(storage_remove(pair.from, keys, 1, &err), 0);
    assert_int_equal(copy(&pair, KEEP_SURPLUS).removed, 0);
    assert_true(has_tag(pair.to, "a", "v1"));
    assert_true(copy(&pair, DELETE_SURPLUS).removed > 0);
    assert_false(has_tag(pair.to, "a", "v1"));
    assert_true(has_tag(pair.to, "a", "v2"));
    close_pair(&pair);
}

static bool has_object(struct storage *storage, const struct digest *digest)
{
    struct key key = key_blob(digest);
    struct storage_object object;
    struct error err = {0};

    return storage_head(storage, key.text, STORAGE_MAY_WAIT, &object, &err) == 0;
}

static void damage(struct storage *storage, const struct digest *digest)
{
    struct key key = key_blob(digest);

    memory_storage_set(storage, key.text, "rotten", 6);
}

static void damaged_bytes_and_links_to_them_are_not_copied(void **state)
{
    struct pair pair = open_pair();
    struct digest manifest = push_image(pair.source, "a", "v1", "1", NULL);
    struct digest config = sha256_of("2");

    (void)state;
    push_image(pair.source, "a", "v2", "2", NULL);
    damage(pair.from, &manifest);
    damage(pair.from, &config);
    /* a manifest with its tag, and a blob, whose image stays visible */
    assert_int_equal(copy(&pair, KEEP_SURPLUS).damaged, 3);
    assert_false(has_object(pair.to, &manifest) || has_object(pair.to, &config));
    assert_false(has_blob(pair.target, "a", config));
    assert_false(has_tag(pair.to, "a", "v1"));
    assert_true(has_tag(pair.to, "a", "v2"));
    close_pair(&pair);
}

/* --- interruption ---------------------------------------------------------------------------- */

/* A storage whose writes fail after a number of them. */
static struct storage_functions failing;
static const struct storage_functions *working;
static int writes_left; /* atomic: the copy has several threads */

static int write_or_fail(struct storage *storage, const struct storage_step *steps, size_t count,
                         struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = __atomic_fetch_sub(&writes_left, 1, __ATOMIC_RELAXED) > 0
                ? working->write(storage, &steps[i], 1, err)
                : error_set(err, EIO, "interrupted");
    return r;
}

/* 0 if the copy was complete. */
static int copy_until(const struct pair *pair, int writes)
{
    const struct copy_options options = {0};
    struct copy_result result;
    struct error err;
    int r;

    working = pair->to->functions;
    failing = *working;
    failing.write = write_or_fail;
    writes_left = writes;
    pair->to->functions = &failing;
    r = store_copy(pair->source, pair->target, &options, &result, &err);
    pair->to->functions = working;
    return r;
}

/* Each manifest that can be read has its blob, and each tag its manifest. */
static void assert_is_consistent(struct store *store, const struct digest *configs,
                                 const struct digest *manifests, size_t count)
{
    struct verify_result result;
    struct error err;

    assert_int_equal(store_verify(store, &(struct verify_options){0}, &result, &err), 0);
    assert_int_equal(result.damaged + result.missing + result.wrong, 0);
    for (size_t i = 0; i < count; i++)
        if (has_manifest(store, "a", manifests[i]))
            assert_true(has_blob(store, "a", configs[i]));
}

static void an_interrupted_copy_is_consistent_and_continues(void **state)
{
    int writes, r = -EIO;

    (void)state;
    for (writes = 0; r != 0; writes++) {
        struct pair pair = open_pair();
        struct digest configs[3] = {sha256_of("1"), sha256_of("2"), sha256_of("3")}, manifests[3];

        for (int i = 0; i < 3; i++)
            manifests[i] =
                push_image(pair.source, "a", NULL, (const char *[]){"1", "2", "3"}[i], NULL);
        push_manifest(pair.source, "a", "both", INDEX_TYPE, index_of(manifests[0], &manifests[1]));
        push_image(pair.source, "a", "signed", "3", &manifests[0]);
        r = copy_until(&pair, writes);
        assert_is_consistent(pair.target, configs, manifests, 3);
        if (has_tag(pair.to, "a", "both"))
            assert_true(has_manifest(pair.target, "a", manifests[0]) &&
                        has_manifest(pair.target, "a", manifests[1]));
        (void)copy(&pair, KEEP_SURPLUS);
        assert_is_consistent(pair.target, configs, manifests, 3);
        assert_true(has_tag(pair.to, "a", "both") && has_tag(pair.to, "a", "signed"));
        assert_int_equal(count_referrers(pair.target, "a", manifests[0]), 1);
        close_pair(&pair);
    }
    assert_true(writes > 20);
}

/* --- tags and other digests ------------------------------------------------------------------ */

static void a_tag_that_was_pushed_again_or_moved_is_copied_again(void **state)
{
    struct pair pair = open_pair();
    struct digest second;

    (void)state;
    push_image(pair.source, "a", "v1", "1", NULL);
    (void)copy(&pair, KEEP_SURPLUS);
    memory_storage_pass_time(pair.from, 100);
    push_image(pair.source, "a", "v1", "1", NULL);
    memory_storage_pass_time(pair.to, 200);
    assert_int_equal(copy(&pair, KEEP_SURPLUS).links, 1);
    assert_int_equal(copy(&pair, KEEP_SURPLUS).links, 0);
    second = push_image(pair.source, "a", "v1", "2", NULL);
    assert_int_equal(copy(&pair, KEEP_SURPLUS).blobs, 2);
    assert_string_equal(tag_of(pair.target, "a", "v1").hex, second.hex);
    close_pair(&pair);
}

static struct storage_version mark_of(struct storage *storage)
{
    struct key key = key_in_repository("a", KEY_TAG_MARK);
    struct storage_object object;
    struct error err;

    assert_int_equal(storage_head(storage, key.text, STORAGE_MAY_WAIT, &object, &err), 0);
    return object.version;
}

static void servers_of_the_destination_see_new_and_removed_tags(void **state)
{
    struct pair pair = open_pair();
    struct key tag = key_tag_current("a", "v2");
    const char *const keys[] = {tag.text};
    struct storage_version first, second, third;
    struct error err;

    (void)state;
    memory_storage_set_far(pair.to, true);
    push_image(pair.source, "a", "v1", "1", NULL);
    (void)copy(&pair, KEEP_SURPLUS);
    first = mark_of(pair.to);
    push_image(pair.source, "a", "v2", "2", NULL);
    (void)copy(&pair, KEEP_SURPLUS);
    second = mark_of(pair.to);
    assert_int_equal(storage_remove(pair.from, keys, 1, &err), 0);
    (void)copy(&pair, DELETE_SURPLUS);
    third = mark_of(pair.to);
    assert_false(storage_version_is_same(&first, &second));
    assert_false(storage_version_is_same(&second, &third));
    close_pair(&pair);
}

static void bytes_are_compared_with_a_sha512_digest_too(void **state)
{
    struct pair pair = open_pair();
    struct digest right = sha512_of("right"), wrong = sha512_of("wrong"), blob;
    struct key alias = key_alias(&right), false_alias = key_alias(&wrong);
    struct key link = key_layer("a", &right), false_link = key_layer("a", &wrong);
    char text[DIGEST_TEXT_SIZE];

    (void)state;
    blob = push_blob(pair.source, "a", "right");
    digest_format(&blob, text);
    memory_storage_set(pair.from, alias.text, text, strlen(text));
    memory_storage_set(pair.from, false_alias.text, text, strlen(text));
    memory_storage_set(pair.from, link.text, text, strlen(text));
    memory_storage_set(pair.from, false_link.text, text, strlen(text));
    assert_int_equal(copy(&pair, KEEP_SURPLUS).damaged, 2);
    assert_true(has_blob(pair.target, "a", right));
    assert_false(has_blob(pair.target, "a", wrong));
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_everything_and_the_next_one_copies_only_what_is_new),
        cmocka_unit_test(the_last_copy_removes_what_the_source_lost),
        cmocka_unit_test(damaged_bytes_and_links_to_them_are_not_copied),
        cmocka_unit_test(an_interrupted_copy_is_consistent_and_continues),
        cmocka_unit_test(a_tag_that_was_pushed_again_or_moved_is_copied_again),
        cmocka_unit_test(servers_of_the_destination_see_new_and_removed_tags),
        cmocka_unit_test(bytes_are_compared_with_a_sha512_digest_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
