/*
 * Each system call in turn ends the process or fails. Afterwards everything acknowledged exists,
 * everything visible is complete, and every operation can be repeated.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "registry/core/collect.h"
#include "tests/unit/registry-core/fault.h"
#include "tests/unit/registry-core/support.h"

enum { MOST_CALLS = 2000 };

static const char config[] = "config", old_config[] = "old config";

/* --- a history of the store, step by step ------------------------------------------------ */

static struct digest old_image(void)
{
    return sha256_of(image_of(sha256_of(old_config), "old", NULL));
}

static const char *new_text(void)
{
    struct digest subject = old_image();

    return image_of(sha256_of(config), "new", &subject);
}

static int push(struct store *store)
{
    struct digest digest = sha256_of(config);
    struct error err = {0};
    struct upload *upload;
    int r = store_upload_create(store, "a", DIGEST_SHA256, &upload, &err);

    if (r < 0)
        return r;
    r = upload_write(upload, config, 3, &err);
    if (r == 0)
        r = upload_write(upload, config + 3, sizeof(config) - 4, &err);
    if (r == 0)
        r = upload_commit(upload, &digest, NULL, &err);
    upload_release(upload);
    return r;
}

static int put(struct store *store)
{
    const char *text = new_text(), *tags[] = {"t"};
    struct digest subject = old_image();
    struct store_manifest manifest = {
        .digest = sha256_of(text),
        .media_type = IMAGE_TYPE,
        .bytes = text,
        .size = strlen(text),
        .subject = &subject,
        .tags = tags,
        .tag_count = 1,
    };
    struct error err = {0};

    return store_put_manifest(store, "a", &manifest, &err);
}

static int tag(struct store *store)
{
    struct digest digest = sha256_of(new_text());
    struct error err = {0};

    return store_put_tag(store, "a", "u", &digest, &err);
}

static int delete_old(struct store *store)
{
    struct digest digest = old_image();
    struct error err = {0};

    return store_delete_manifest(store, "a", &digest, NULL, &err);
}

static int untag(struct store *store)
{
    struct error err = {0};

    return store_delete_tag(store, "a", "u", NULL, &err);
}

static int mount(struct store *store)
{
    struct digest digest = sha256_of(config);
    struct error err = {0};

    return store_mount_blob(store, "b", &digest, "a", NULL, &err);
}

static int unlink_blob(struct store *store)
{
    struct digest digest = sha256_of(config);
    struct error err = {0};

    return store_unlink_blob(store, "b", &digest, NULL, &err);
}

static int collect(struct store *store)
{
    const struct collect_options options = {0};
    struct collect_result result;
    struct error err = {0};

    return store_collect(store, &options, &result, &err);
}

enum { PUSHED = 1, PUT, TAGGED, DELETED, UNTAGGED, MOUNTED, UNLINKED, COLLECTED };

static int (*const steps[])(struct store *store) = {
    push, put, tag, delete_old, untag, mount, unlink_blob, collect,
};

static void begin(void)
{
    CLEANUP(store_closep) struct store *store = open_store();

    push_manifest(store, "a", "o", IMAGE_TYPE,
                  image_of(push_blob(store, "a", old_config), "old", NULL));
    push_manifest(store, "a", "t", IMAGE_TYPE, image_of(sha256_of(old_config), "old", NULL));
}

/* --- invariants -------------------------------------------------------------------------- */

/* The tag names one of the two images, which is complete. */
static void check_tag(struct store *store, const char *name, bool may_be_gone)
{
    struct digest digest = tag_of(store, "a", name);

    if (!*digest.hex) {
        assert_true(may_be_gone);
        return;
    }
    assert_true(has_manifest(store, "a", digest));
    assert_true(has_blob(
        store, "a", sha256_of(strcmp(digest.hex, old_image().hex) == 0 ? old_config : config)));
}

static void check_blob(struct store *store, const char *name, const char *text)
{
    struct digest digest = sha256_of(text);

    if (has_blob(store, name, digest))
        assert_file_is(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex), text);
}

static void check_new_image(struct store *store)
{
    struct digest new = sha256_of(new_text());

    if (!has_manifest(store, "a", new))
        return;
    assert_manifest_is(store, "a", new, IMAGE_TYPE, new_text());
    assert_true(has_blob(store, "a", sha256_of(config)));
    assert_true(is_referrer(store, "a", old_image(), new));
}

/* done is the number of acknowledged steps; one more may have started. */
static void check_all(struct store *store, int done)
{
    struct digest t = tag_of(store, "a", "t"), new = sha256_of(new_text());

    check_tag(store, "t", false);
    check_tag(store, "o", done >= TAGGED);
    check_tag(store, "u", done < TAGGED || done >= DELETED);
    check_blob(store, "a", config);
    check_blob(store, "a", old_config);
    check_blob(store, "b", config);
    check_new_image(store);
    assert_true(done < PUSHED || has_blob(store, "a", sha256_of(config)));
    assert_true(done < PUT || strcmp(t.hex, new.hex) == 0);
    assert_true(done >= TAGGED || has_manifest(store, "a", old_image()));
    assert_true(done < DELETED ||
                (!has_manifest(store, "a", old_image()) && !*tag_of(store, "a", "o").hex));
    assert_true(done < UNTAGGED || !*tag_of(store, "a", "u").hex);
    assert_true(done >= UNTAGGED || !has_blob(store, "b", sha256_of(config)));
    assert_true(done < UNLINKED || !has_blob(store, "b", sha256_of(config)));
}

static void check_end(struct store *store)
{
    check_all(store, COLLECTED);
    assert_true(has_manifest(store, "a", sha256_of(new_text())));
    assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "t ");
    assert_false(has_blob(store, "a", sha256_of(old_config)));
    assert_nothing_temporary();
}

/* --- ends of the process ----------------------------------------------------------------- */

struct run {
    int *done; /* shared with the child */
    int at;
};

static int run_steps(void *argument)
{
    const struct run *run = argument;
    struct store *store;
    struct error err = {0};

    fault_start(FAULT_EXIT, run->at, 0);
    if (open_store_at("root", FILESYSTEM_SERVES, &store, &err) < 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (steps[i](store) != 0)
            return 2;
        ++*run->done;
    }
    store_close(store);
    return 0;
}

/* Repeats all steps from the start on the existing state. */
static void repeat_all(struct store *store)
{
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        int r = steps[i](store);

        assert_true(r == 0 || r == STORE_NOT_FOUND);
    }
    check_end(store);
}

static void a_crash_at_any_call_leaves_a_consistent_store(void **state)
{
    struct run run = {
        .done = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    int status = FAULT_EXIT_STATUS, at;

    assert_true(run.done != MAP_FAILED);
    for (at = 1; status == FAULT_EXIT_STATUS && at < MOST_CALLS; at++) {
        struct store *store;

        begin();
        *run.done = 0;
        run.at = at;
        status = run_in_child(run_steps, &run);
        store = open_store();
        check_all(store, *run.done);
        repeat_all(store);
        store_close(store);
        assert_int_equal(scratch_tear_down(state), 0);
        assert_int_equal(scratch_set_up(state), 0);
    }
    assert_int_equal(status, 0);
    assert_int_equal(*run.done, ARRAY_SIZE(steps));
    assert_true(at > 100); /* the calls were counted */
    munmap(run.done, sizeof(int));
}

/* --- failures ---------------------------------------------------------------------------- */

/*
 * Runs a step whose n-th call fails; repeats it if it failed. Returns whether the n-th call was
 * reached.
 */
static bool do_with_failure(struct store *store, size_t step, int at, int code)
{
    bool was_reached;
    int r;

    fault_start(FAULT_FAIL, at, code);
    r = steps[step](store);
    was_reached = fault_stop();
    assert_true(was_reached || r == 0);
    check_all(store, r == 0 ? (int)step + 1 : (int)step);
    if (r != 0) {
        assert_true(r < 0);
        r = steps[step](store);
        assert_true(r == 0 || r == STORE_NOT_FOUND);
    }
    check_all(store, (int)step + 1);
    return was_reached;
}

static void fail_in(void **state, size_t step, int code)
{
    bool was_reached = true;

    for (int at = 1; was_reached; at++) {
        struct store *store;

        begin();
        store = open_store();
        for (size_t i = 0; i < step; i++)
            assert_int_equal(steps[i](store), 0);
        was_reached = do_with_failure(store, step, at, code);
        for (size_t i = step + 1; i < ARRAY_SIZE(steps); i++)
            assert_int_equal(steps[i](store), 0);
        check_end(store);
        store_close(store);
        assert_int_equal(scratch_tear_down(state), 0);
        assert_int_equal(scratch_set_up(state), 0);
    }
}

static void a_failure_of_any_call_leaves_a_consistent_store(void **state)
{
    for (size_t step = 0; step < ARRAY_SIZE(steps); step++)
        fail_in(state, step, step % 2 ? EIO : ENOSPC);
}

/* --- the order of syncs ------------------------------------------------------------------ */

/* Counts of a letter in the trace before its first name, and after its last. */
static size_t count(const char *from, const char *to, char letter)
{
    size_t found = 0;

    for (; from < to; from++)
        found += *from == letter;
    return found;
}

static void bytes_are_synced_before_and_directories_after_their_names(void **state)
{
    static const struct {
        int (*step)(struct store *store);
        size_t contents;
    } writing[] = {{push, 2}, {put, 5}, {tag, 2}, {mount, 1}};
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(writing); i++) {
        const char *trace, *first_name, *last_name, *end;

        fault_start(FAULT_NONE, 0, 0);
        assert_int_equal(writing[i].step(store), 0);
        fault_stop();
        trace = fault_trace();
        end = trace + strlen(trace);
        first_name = strchr(trace, 'r');
        last_name = strrchr(trace, 'r');
        assert_non_null(first_name);
        assert_int_equal(count(trace, end, 'r'), writing[i].contents);
        assert_int_equal(count(trace, first_name, 'd'), writing[i].contents);
        assert_int_equal(count(first_name, end, 'd') + count(first_name, end, 'w') +
                             count(first_name, end, 'p'),
                         0);
        assert_int_equal(count(trace, last_name, 'f'), 0);
        assert_true(count(last_name, end, 'f') >= writing[i].contents);
    }
}

/* As a concurrent delete does. */
static void remove_directory(const char *directory)
{
    assert_int_equal(rmdir(directory), 0);
}

static void a_directory_removed_at_the_same_time_is_created_again(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    fault_before_rename(remove_directory);
    push_blob(store, "a", config);
    assert_true(has_blob(store, "a", sha256_of(config)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_crash_at_any_call_leaves_a_consistent_store),
        scratch_test(a_failure_of_any_call_leaves_a_consistent_store),
        scratch_test(bytes_are_synced_before_and_directories_after_their_names),
        scratch_test(a_directory_removed_at_the_same_time_is_created_again),
    };

    return cmocka_run_group_tests_name("store-crash", tests, NULL, NULL);
}
