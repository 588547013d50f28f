/* Lists while the storage does not answer: they fail, and do not leave out what cannot be read. */
#include <errno.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/lists.h"
#include "registry/core/tag-index.h"
#include "tests/unit/registry-core/support.h"

/* A storage whose functions fail for keys with this text; NULL: none. */
static const struct storage_functions *whole;
static struct storage_functions functions;
static const char *unanswered;
static int failure;

static bool fails(const char *key, struct error *err)
{
    return unanswered && strstr(key, unanswered) &&
           error_set(err, -failure, "the storage does not answer") < 0;
}

static int head(struct storage *storage, const char *key, enum storage_waiting waiting,
                struct storage_object *ret, struct error *err)
{
    return fails(key, err) ? failure : whole->head(storage, key, waiting, ret, err);
}

static int list(struct storage *storage, const char *prefix, const char *after, size_t limit,
                struct storage_list *ret, struct error *err)
{
    return fails(prefix, err) ? failure : whole->list(storage, prefix, after, limit, ret, err);
}

static int last_use(struct storage *storage, const char *key, int64_t *ret_ns, struct error *err)
{
    return fails(key, err) ? failure : whole->last_use(storage, key, ret_ns, err);
}

/* A store with the tags 1 and 2 of the repository a, and the repository b. */
static struct store *open_broken_store(void)
{
    struct store *store = open_store();
    struct storage *storage = store_get_storage(store);

    push_image(store, "a", "1", "one", NULL);
    push_image(store, "a", "2", "two", NULL);
    push_image(store, "b", "1", "three", NULL);
    whole = storage->functions;
    functions = *whole;
    functions.head = head;
    functions.list = list;
    functions.last_use = last_use;
    storage->functions = &functions;
    return store;
}

static int list_tags(struct store *store, struct store_names *ret, struct error *err)
{
    return store_list_tags(store, "a", NULL, 10, ret, err);
}

static int list_repositories(struct store *store, struct store_names *ret, struct error *err)
{
    return store_list_repositories(store, NULL, 10, NULL, ret, err);
}

static int search_tags(struct store *store, struct store_names *ret, struct error *err)
{
    struct tag_index *index = tag_index_new(store, 60000, 1000);
    struct tag_query query = {.n = 10, .last = ""};
    struct tag_page page = {0};
    int r;

    assert_non_null(index);
    name_search_init(&query.search, "");
    r = tag_index_search(index, "a", &query, monotonic_ms(), TAG_INDEX_ALL, &page, err);
    ret->count = page.count;
    tag_page_done(&page);
    tag_index_free(index);
    return r;
}

/* The second of two entries is the one that cannot be read. */
static const struct {
    const char *unanswered;
    int (*list)(struct store *store, struct store_names *ret, struct error *err);
} cases[] = {
    {"tags/2/", list_tags},
    {"tags/2/", search_tags},
    {"repositories/b/", list_repositories},
};

static void a_list_fails_if_the_storage_does_not_answer(void **state)
{
    static const int failures[] = {-EHOSTDOWN, -ESHUTDOWN, -ENOMEM, -EMFILE};
    CLEANUP(store_closep) struct store *store = open_broken_store();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t j = 0; j < ARRAY_SIZE(failures); j++) {
            CLEANUP(store_names_done) struct store_names names = {0};
            struct error err = {0};

            unanswered = cases[i].unanswered;
            failure = failures[j];
            assert_int_equal(cases[i].list(store, &names, &err), failure);
        }
}

static void what_cannot_be_read_is_left_out(void **state)
{
    CLEANUP(store_closep) struct store *store = open_broken_store();

    (void)state;
    failure = -EIO;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(store_names_done) struct store_names names = {0};
        struct error err = {0};

        unanswered = cases[i].unanswered;
        assert_int_equal(cases[i].list(store, &names, &err), 0);
        assert_int_equal(names.count, 1);
        names.count = cases[i].list == search_tags ? 0 : names.count;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_list_fails_if_the_storage_does_not_answer),
        scratch_test(what_cannot_be_read_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
