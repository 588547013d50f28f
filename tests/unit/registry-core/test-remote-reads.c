/*
 * Reading from a remote storage: lists have the same names as on a near one and need few requests,
 * and what was read once is read again only where it could have changed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "registry/core/key-window.h"
#include "registry/core/tag-names.h"
#include "tests/unit/registry-core/support.h"
#include "tests/unit/registry-storage/memory-storage.h"

enum { TEXT_SIZE = 1 << 18 };

static struct storage *storage;
static struct store *store;

/* Counts requests. */
static const struct storage_functions *real;
static struct storage_functions counting;
static unsigned requests, heads;
static unsigned lists, lists_at_once; /* in progress, and the most that were */

static int count_list(struct storage *base, const char *prefix, const char *after, size_t limit,
                      struct storage_list *ret, struct error *err)
{
    unsigned running = __atomic_add_fetch(&lists, 1, __ATOMIC_SEQ_CST);
    int r;

    if (running > __atomic_load_n(&lists_at_once, __ATOMIC_SEQ_CST))
        __atomic_store_n(&lists_at_once, running, __ATOMIC_SEQ_CST);
    usleep(100); /* so that others begin */
    r = real->list(base, prefix, after, limit, ret, err);
    __atomic_sub_fetch(&lists, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&requests, r == 0 ? 1 + (unsigned)ret->count / STORAGE_KEYS_MAX : 1,
                       __ATOMIC_RELAXED);
    return r;
}

static int count_list_keys(struct storage *base, const char *prefix, const char *after,
                           size_t limit, struct storage_list *ret, struct error *err)
{
    requests++;
    assert_in_range(limit, 1, STORAGE_KEYS_MAX);
    return real->list_keys(base, prefix, after, limit, ret, err);
}

static int count_head(struct storage *base, const char *key, enum storage_waiting waiting,
                      struct storage_object *ret, struct error *err)
{
    requests++;
    heads++;
    return real->head(base, key, waiting, ret, err);
}

/* For a second store on the same storage. */
static void keep_open(struct storage *base)
{
    (void)base;
}

static int count_get(struct storage *base, const char *key, size_t limit,
                     enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                     struct error *err)
{
    requests++;
    return real->get(base, key, limit, waiting, ret_bytes, ret_size, err);
}

static int set_up(void **state)
{
    struct error err = {0};

    storage = memory_storage_new();
    memory_storage_set_far(storage, true);
    real = storage->functions;
    counting = *real;
    counting.list = count_list;
    counting.list_keys = count_list_keys;
    counting.head = count_head;
    counting.get = count_get;
    storage->functions = &counting;
    requests = heads = 0;
    return scratch_set_up(state) < 0 ? -1 : store_open(storage, &store, &err);
}

static int tear_down(void **state)
{
    store_close(store);
    return scratch_tear_down(state);
}

static void add_key(const char *repository, const char *rest)
{
    char key[512];

    snprintf(key, sizeof(key), "repositories/%s/%s", repository, rest);
    memory_storage_set(storage, key, "x", 1);
}

static void add_names(char *text, const struct store_names *names)
{
    size_t used = strlen(text);

    for (size_t i = 0; i < names->count; i++)
        used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%s ", names->items[i]);
}

typedef int list_function(const char *last, size_t n, struct store_names *ret, struct error *err);

static int list_repositories(const char *last, size_t n, struct store_names *ret, struct error *err)
{
    return store_list_repositories(store, last, n, NULL, ret, err);
}

static int list_tags(const char *last, size_t n, struct store_names *ret, struct error *err)
{
    return store_list_tags(store, "r", last, n, ret, err);
}

/* All names, asked for in pages of n. */
static void join_pages(list_function *list, size_t n, char *text)
{
    char last[512] = "";
    bool has_more = true;

    text[0] = '\0';
    while (has_more) {
        CLEANUP(store_names_done) struct store_names names = {0};
        struct error err = {0};

        assert_int_equal(list(*last ? last : NULL, n, &names, &err), 0);
        assert_true(names.count == n || !names.has_more);
        add_names(text, &names);
        if (names.count > 0)
            snprintf(last, sizeof(last), "%s", names.items[names.count - 1]);
        has_more = names.has_more;
    }
}

/* Whatever the size of the page, the names are those of the same keys on a near storage. */
static void assert_same_as_near(list_function *list)
{
    static char near[TEXT_SIZE], far[TEXT_SIZE];

    memory_storage_set_far(storage, false);
    join_pages(list, SIZE_MAX, near);
    memory_storage_set_far(storage, true);
    for (size_t n = 1; n < 5000; n = n * 7 + 1) {
        join_pages(list, n, far);
        assert_string_equal(far, near);
    }
    join_pages(list, SIZE_MAX, far);
    assert_string_equal(far, near);
}

static unsigned next_random(unsigned limit)
{
    static unsigned state = 1;

    state = state * 1103515245 + 12345;
    return (state >> 16) % limit;
}

/* A name whose neighbours in the order of names are often not those in the order of keys. */
static void make_name(char *ret, size_t size, bool is_tag)
{
    static const char *const parts[] = {"a", "b", "1", "aa", "a-b", "a.b", "a-", "b-1.2"};
    size_t used = 0;

    for (unsigned i = 0, count = 1 + next_random(3); i < count; i++)
        used += (size_t)snprintf(ret + used, size - used, "%s%s",
                                 i == 0   ? ""
                                 : is_tag ? "-"
                                          : "/",
                                 parts[next_random(ARRAY_SIZE(parts) - (is_tag ? 0 : 2))]);
}

static void repositories_are_those_of_a_near_storage(void **state)
{
    static const char *const rests[] = {"_layers/sha256/x/link", "_manifests/tags/t/current/link",
                                        "_uploads/u/data", "_registryd/pushed/tags/t", "stray"};

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        char name[64], rest[64];
        /* some have more keys than a page */
        unsigned more = next_random(40) == 0 ? STORAGE_KEYS_MAX + 1 : next_random(4);

        make_name(name, sizeof(name), false);
        add_key(name, rests[next_random(ARRAY_SIZE(rests))]);
        for (unsigned j = 0; j < more; j++) {
            snprintf(rest, sizeof(rest), "_layers/sha256/%u/link", j);
            add_key(name, rest);
        }
    }
    assert_same_as_near(list_repositories);
}

static void tags_are_those_of_a_near_storage(void **state)
{
    (void)state;
    add_key("r", "_layers/sha256/x/link");
    for (unsigned i = 0; i < 200; i++) {
        char name[64], rest[128];
        unsigned history = next_random(40) == 0 ? STORAGE_KEYS_MAX + 1 : next_random(4);

        make_name(name, sizeof(name), true);
        snprintf(rest, sizeof(rest), "_manifests/tags/%s/%s", name,
                 next_random(8) == 0 ? "index/sha256/x/link" : "current/link");
        add_key("r", rest);
        for (unsigned j = 0; j < history; j++) {
            snprintf(rest, sizeof(rest), "_manifests/tags/%s/index/sha256/%u/link", name, j);
            add_key("r", rest);
        }
    }
    assert_same_as_near(list_tags);
}

static void small_repositories_share_requests(void **state)
{
    static char text[TEXT_SIZE];
    enum { COUNT = 3000 };

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        char name[32];

        snprintf(name, sizeof(name), "many/r%04u", i);
        add_key(name, "_layers/sha256/x/link");
        add_key(name, "_manifests/tags/t/current/link");
    }
    requests = 0;
    join_pages(list_repositories, SIZE_MAX, text);
    assert_int_equal(strlen(text), COUNT * strlen("many/r0000 "));
    assert_in_range(requests, 1, 16); /* 6 for the keys, 4 for the names, and some at the borders */
    requests = 0;
    join_pages(list_repositories, 100, text);
    assert_in_range(requests, 1, COUNT / 100 * 6);
}

static void large_repositories_cost_about_a_request_each(void **state)
{
    static char text[TEXT_SIZE];
    enum { COUNT = 24 };

    (void)state;
    for (unsigned i = 0; i < COUNT * 1100; i++) {
        char name[32], rest[64];

        snprintf(name, sizeof(name), "r%02u", i / 1100);
        snprintf(rest, sizeof(rest), "_layers/sha256/%u/link", i % 1100);
        add_key(name, rest);
    }
    requests = lists_at_once = 0;
    join_pages(list_repositories, SIZE_MAX, text);
    assert_int_equal(strlen(text), COUNT * strlen("r00 "));
    assert_in_range(requests, COUNT, COUNT + COUNT / 4);
    assert_in_range(lists_at_once, 2, KEY_WINDOW_AHEAD);
    requests = 0;
    join_pages(list_repositories, 1, text); /* no page reads much beyond its end */
    assert_int_equal(strlen(text), COUNT * strlen("r00 "));
    assert_in_range(requests, COUNT, 6 * COUNT);
}

static void add_tags(unsigned count, const char *suffix)
{
    for (unsigned i = 0; i < count; i++) {
        char rest[128];

        snprintf(rest, sizeof(rest), "_manifests/tags/t%04u%s/current/link", i, suffix);
        add_key("r", rest);
    }
}

static void tags_need_no_request_each(void **state)
{
    static char text[TEXT_SIZE];
    enum { COUNT = 3000 };

    (void)state;
    add_tags(COUNT, "");
    add_tags(COUNT, "-slim");
    requests = heads = 0;
    join_pages(list_tags, SIZE_MAX, text);
    assert_int_equal(strlen(text), COUNT * strlen("t0000 t0000-slim "));
    assert_int_equal(requests, 1 + 2 * COUNT / STORAGE_KEYS_MAX);
    assert_int_equal(heads, 1); /* of the mark */
    requests = 0;
    join_pages(list_tags, 100, text); /* from memory */
    assert_int_equal(requests, 2 * COUNT / 100);
    memory_storage_set(storage, "repositories/r/" KEY_TAG_MARK, "new", 3);
    requests = 0;
    join_pages(list_tags, 100, text);
    assert_in_range(requests, 1, 4 * 2 * COUNT / 100);
}

/* What another server acknowledged is in each list, although this one has a list in memory. */
static void changes_of_other_servers_are_seen(void **state)
{
    struct store *other;
    struct digest one = push_image(store, "r", "one", "1", NULL);
    struct error err = {0};

    (void)state;
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "one ");
    requests = 0;
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "one ");
    assert_int_equal(requests, 1);
    /* A store of its own, on the same storage, has nothing in memory. */
    counting.close = keep_open;
    assert_int_equal(store_open(storage, &other, &err), 0);
    push_image(other, "r", "two", "2", NULL);
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "one two ");
    assert_int_equal(store_put_tag(other, "r", "three", &one, &err), 0);
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "one three two ");
    assert_int_equal(store_delete_tag(other, "r", "two", NULL, &err), 0);
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "one three ");
    assert_int_equal(store_delete_manifest(other, "r", &one, NULL, &err), 0);
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "");
    store_close(other);
    counting.close = real->close;
}

static void a_repository_without_manifests_still_exists(void **state)
{
    CLEANUP(store_names_done) struct store_names tags = {0};
    struct digest one = push_image(store, "r", "one", "1", NULL);
    struct error err = {0};

    (void)state;
    assert_int_equal(store_delete_manifest(store, "r", &one, NULL, &err), 0);
    assert_int_equal(store_list_tags(store, "r", NULL, SIZE_MAX, &tags, &err), 0);
    assert_int_equal(tags.count, 0);
    push_blob(store, "blobs-only", "x");
    assert_int_equal(store_list_tags(store, "blobs-only", NULL, SIZE_MAX, &tags, &err),
                     STORE_NOT_FOUND);
}

/* A manifest that states its type, so that no other object has to be read for that. */
static struct digest push_stated(struct store *to, const char *name, const char *tag,
                                 const char *what)
{
    char text[512];

    snprintf(text, sizeof(text),
             "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_TYPE
             "\",\"config\":{\"mediaType\":\"x\","
             "\"size\":1,\"digest\":\"%s\"},\"layers\":[],\"annotations\":{\"a\":\"%s\"}}",
             text_of(sha256_of("c")), what);
    return push_manifest(to, name, tag, IMAGE_TYPE, text);
}

/* As a request for a tag does. Returns the result, with the number of requests. */
static int pull(const char *tag, unsigned *ret_requests)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    struct digest digest;
    struct error err = {0};
    int r;

    requests = 0;
    r = store_resolve_tag(store, "r", tag, STORE_MAY_WAIT, &digest, &err);
    if (r == 0)
        r = store_get_tagged_manifest(store, "r", &digest, STORE_MAY_WAIT, &content, &err);
    if (r == 0) {
        struct digest found;

        assert_int_equal(digest_of(DIGEST_SHA256, content.bytes, content.size, &found), 0);
        assert_true(digest_is_equal(&found, &digest));
        assert_string_equal(content.media_type, IMAGE_TYPE);
    }
    *ret_requests = requests;
    return r;
}

static void a_manifest_by_tag_is_one_request_and_follows_the_tag(void **state)
{
    unsigned cold, warm;
    struct digest one = push_stated(store, "r", "t", "1"), two;
    struct error err = {0};

    (void)state;
    assert_int_equal(pull("t", &cold), 0);
    assert_int_equal(pull("t", &warm), 0);
    assert_int_equal(cold, 3);
    assert_int_equal(warm, 1);
    two = push_stated(store, "r", "t", "2"); /* as another server does: nothing is noted here */
    assert_int_equal(pull("t", &cold), 0);
    assert_int_equal(pull("t", &warm), 0);
    assert_int_equal(warm, 1);
    assert_int_equal(store_delete_manifest(store, "r", &two, NULL, &err), 0);
    assert_int_equal(pull("t", &warm), STORE_NOT_FOUND);
    assert_int_equal(store_put_tag(store, "r", "t", &one, &err), 0);
    assert_int_equal(pull("t", &warm), 0);
    assert_int_equal(warm, 1);
}

/* Bytes come from memory, but whether the repository has the manifest is asked each time. */
static void a_manifest_by_digest_is_one_request_until_it_is_deleted(void **state)
{
    struct digest one = push_stated(store, "r", "t", "1");
    struct error err = {0};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        CLEANUP(store_content_done) struct store_content content = {0};

        requests = 0;
        assert_int_equal(store_get_manifest(store, "r", &one, STORE_MAY_WAIT, &content, &err), 0);
        assert_int_equal(requests, i == 0 ? 2 : 1);
        store_content_done(&content);
        requests = 0; /* one that is asked for before a push is looked at whole */
        assert_int_equal(
            store_get_wanted_manifest(store, "r", &one, STORE_MAY_WAIT, &content, &err), 0);
        assert_int_equal(requests, 1); /* and the refresh of its link, which is not counted */
    }
    assert_int_equal(store_delete_manifest(store, "r", &one, NULL, &err), 0);
    {
        CLEANUP(store_content_done) struct store_content content = {0};

        assert_int_equal(store_get_manifest(store, "r", &one, STORE_MAY_WAIT, &content, &err),
                         STORE_NOT_FOUND);
    }
    {
        CLEANUP(store_content_done) struct store_content content = {0};

        assert_int_equal(store_get_manifest(store, "other", &one, STORE_MAY_WAIT, &content, &err),
                         STORE_NOT_FOUND);
    }
}

static void damaged_bytes_are_not_kept(void **state)
{
    struct digest one = push_stated(store, "r", "t", "1");
    struct key data = key_blob(&one);
    CLEANUP(store_content_done) struct store_content content = {0};
    CLEANUP_FREE char *bytes = NULL;
    struct error err = {0};
    size_t size;

    (void)state;
    assert_int_equal(storage_get(storage, data.text, 4096, STORAGE_MAY_WAIT, &bytes, &size, &err),
                     0);
    memory_storage_set(storage, data.text, "damaged", 7);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(store_get_manifest(store, "r", &one, STORE_MAY_WAIT, &content, &err),
                         -EBADMSG);
    memory_storage_set(storage, data.text, bytes, size); /* somebody pushed it again */
    assert_int_equal(store_get_manifest(store, "r", &one, STORE_MAY_WAIT, &content, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
        CASE(repositories_are_those_of_a_near_storage),
        CASE(tags_are_those_of_a_near_storage),
        CASE(small_repositories_share_requests),
        CASE(large_repositories_cost_about_a_request_each),
        CASE(tags_need_no_request_each),
        CASE(changes_of_other_servers_are_seen),
        CASE(a_repository_without_manifests_still_exists),
        CASE(a_manifest_by_tag_is_one_request_and_follows_the_tag),
        CASE(a_manifest_by_digest_is_one_request_until_it_is_deleted),
        CASE(damaged_bytes_are_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
