#include <errno.h>
#include <string.h>

#include "registry/core/usage.h"
#include "tests/unit/registry-core/support.h"

/* Counts the reads of the bytes of manifests. */
static const struct storage_functions *real;
static struct storage_functions counting;
static unsigned reads;

static int count_get(struct storage *storage, const char *key, size_t limit,
                     enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                     struct error *err)
{
    reads += strncmp(key, "blobs/", 6) == 0;
    return real->get(storage, key, limit, waiting, ret_bytes, ret_size, err);
}

struct visit {
    unsigned calls;
    struct usage_tag tags[3];
    char *texts[3];
};

static int visit(void *object, const struct usage_tag *tag, struct error *err)
{
    struct visit *visit = object;

    (void)err;
    assert_true(tag->index < 3);
    visit->calls++;
    visit->tags[tag->index] = *tag;
    if (tag->result == 0) {
        visit->texts[tag->index] = tag->content->bytes;
        *tag->content = (struct store_content){0};
    }
    return 0;
}

static void each_tag_is_visited_with_its_manifest_which_is_read_once(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static char names[][5] = {"one", "two", "gone"};
    char *items[] = {names[0], names[1], names[2]};
    const struct store_names tags = {.items = items, .count = 3};
    struct digest one = push_image(store, "a", "one", "1", NULL),
                  two = push_image(store, "a", "two", "2", NULL);
    struct storage *storage = store_get_storage(store);
    struct usage usages[3], rest, total;
    struct visit visited = {0};
    const struct usage_options options = {.visit = visit, .object = &visited};
    struct error err = {0};

    (void)state;
    real = storage->functions;
    counting = *real;
    counting.get = count_get;
    storage->functions = &counting;
    assert_int_equal(store_measure_tags(store, "a", &tags, &options, usages, &rest, &total, &err),
                     0);
    storage->functions = real;
    assert_int_equal(reads, 2);
    assert_int_equal(visited.calls, 2);
    assert_memory_equal(&visited.tags[0].digest, &one, sizeof(one));
    assert_memory_equal(&visited.tags[1].digest, &two, sizeof(two));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(usages[i].bytes, strlen(visited.texts[i]) + 1);
        free(visited.texts[i]);
    }
    assert_int_equal(usages[2].bytes, 0);
    assert_int_equal(total.objects, 4);
}

static void a_damaged_manifest_is_reported_to_the_visitor(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static char text[] = "one";
    char *items[] = {text};
    const struct store_names tags = {.items = items, .count = 1};
    struct digest one = push_image(store, "a", "one", "1", NULL);
    struct usage usage, rest, total;
    struct visit visited = {0};
    const struct usage_options options = {.visit = visit, .object = &visited};
    struct error err = {0};

    (void)state;
    make_file(below("blobs/sha256/%.2s/%s/data", one.hex, one.hex), "{}");
    assert_int_equal(store_measure_tags(store, "a", &tags, &options, &usage, &rest, &total, &err),
                     0);
    assert_int_equal(visited.calls, 1);
    assert_int_equal(visited.tags[0].result, -EBADMSG);
}

struct seen {
    size_t repositories, objects; /* how often the progress was shown */
    uint64_t total;
};

static void watch(void *object, const struct progress *progress)
{
    struct seen *seen = object;

    if (strcmp(progress->unit, "repositories") == 0)
        assert_int_equal(progress->done, seen->repositories++);
    else
        assert_int_equal(progress->done, seen->objects++);
    assert_true(progress->done < progress->total);
    seen->total = progress->total;
}

static void the_progress_counts_repositories_and_then_each_object_once(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static char names[][2] = {"a", "b"};
    char *items[] = {names[0], names[1]};
    const struct store_names both = {.items = items, .count = 2};
    struct seen seen = {0};
    const struct usage_options options = {.progress = watch, .progress_object = &seen};
    struct usage usages[2], total;
    struct error err = {0};

    (void)state;
    push_image(store, "a", "one", "1", NULL);
    push_image(store, "b", "one", "1", NULL);
    assert_int_equal(store_measure_repositories(store, &both, &options, usages, &total, &err), 0);
    assert_int_equal(seen.repositories, 2);
    assert_int_equal(seen.objects, total.objects);
    assert_int_equal(seen.total, total.objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(each_tag_is_visited_with_its_manifest_which_is_read_once),
        scratch_test(a_damaged_manifest_is_reported_to_the_visitor),
        scratch_test(the_progress_counts_repositories_and_then_each_object_once),
    };

    return cmocka_run_group_tests_name("store-usage", tests, NULL, NULL);
}
