/*
 * Summaries of manifests for the page: what could not be read is asked again.
 */
#include "registry/api/page-summary.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"
#include "tests/unit/registry-storage/memory-storage.h"

#define CONFIG "{\"os\":\"linux\",\"architecture\":\"arm64\"}"

static struct store *store;
static struct summary_cache *summaries;

/* Counts and breaks reads of blobs. */
static struct storage_functions functions;
static ssize_t (*read_really)(struct storage_reader *reader, uint64_t offset, void *ret_data,
                              size_t size, enum storage_waiting waiting);
static unsigned reads;
static bool is_broken;
static ssize_t failure; /* of a read that is broken; 0: the bytes end */

/* Gives a part of the bytes before it fails. */
static ssize_t read_counted(struct storage_reader *reader, uint64_t offset, void *ret_data,
                            size_t size, enum storage_waiting waiting)
{
    reads++;
    if (is_broken && offset > 0)
        return failure;
    return read_really(reader, offset, ret_data, is_broken ? 1 : size, waiting);
}

static int set_up(void **state)
{
    struct storage *storage = memory_storage_new();
    struct error err = {0};

    functions = *storage->functions;
    read_really = functions.reader_read;
    functions.reader_read = read_counted;
    storage->functions = &functions;
    is_broken = false;
    summaries = summary_cache_new();
    return scratch_set_up(state) < 0 || !summaries ? -1 : store_open(storage, &store, &err);
}

static int tear_down(void **state)
{
    summary_cache_free(summaries);
    store_close(store);
    return scratch_tear_down(state);
}

/* Whether the summary of a manifest says its platform. Counts the reads of blobs for it. */
static bool says_platform(const struct digest *digest)
{
    CLEANUP(text_done) struct text text = {0};
    struct error err = {0};
    bool matches;

    reads = 0;
    text_add_string(&text, "{\"name\":\"v1\"");
    if (summary_add(summaries, store, "a", digest, "", &text, &matches, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(matches);
    text_add(&text, "", 1);
    assert_non_null(strstr(text.data, "\"media_type\":\"" IMAGE_TYPE "\""));
    return strstr(text.data, "\"architecture\":\"arm64\"");
}

static void a_summary_is_made_once(void **state)
{
    struct digest image;

    (void)state;
    image = push_manifest(store, "a", "v1", IMAGE_TYPE,
                          image_of(push_blob(store, "a", CONFIG), "arm", NULL));
    assert_true(says_platform(&image));
    assert_true(reads > 0);
    assert_true(says_platform(&image));
    assert_int_equal(reads, 0);
}

static void check_broken_read(ssize_t result)
{
    struct digest image = push_manifest(store, "a", "v1", IMAGE_TYPE,
                                        image_of(push_blob(store, "a", CONFIG), "arm", NULL));

    is_broken = true;
    failure = result;
    assert_false(says_platform(&image));
    assert_true(reads > 1);
    is_broken = false;
    assert_true(says_platform(&image));
    assert_true(says_platform(&image));
    assert_int_equal(reads, 0);
}

static void a_configuration_that_was_cut_off_is_read_again(void **state)
{
    (void)state;
    check_broken_read(0);
}

static void a_configuration_that_could_not_be_read_is_read_again(void **state)
{
    (void)state;
    check_broken_read(-ECONNRESET);
}

static void a_configuration_that_is_missing_is_looked_for_again(void **state)
{
    struct digest image;

    (void)state;
    image = push_manifest(store, "a", "v1", IMAGE_TYPE, image_of(sha256_of(CONFIG), "arm", NULL));
    assert_false(says_platform(&image));
    push_blob(store, "a", CONFIG);
    assert_true(says_platform(&image));
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_summary_is_made_once),
        test(a_configuration_that_was_cut_off_is_read_again),
        test(a_configuration_that_could_not_be_read_is_read_again),
        test(a_configuration_that_is_missing_is_looked_for_again),
    };

    return cmocka_run_group_tests_name("page-summary", tests, NULL, NULL);
}
