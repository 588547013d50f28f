#include "registry/core/tag-index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/monotonic.h"
#include "registry/core/pushes.h"
#include "tests/unit/registry-core/support.h"

/* --- support -------------------------------------------------------------------------------- */

static void tag_index_freep(struct tag_index **index)
{
    tag_index_free(*index);
}

static void note_event(void *index, const struct event *event)
{
    tag_index_note(index, event);
}

/* An index that hears of the changes of this store. */
static struct tag_index *make_index(struct store *store, unsigned work_ms, unsigned fresh_ms)
{
    struct tag_index *index = tag_index_new(store, work_ms, fresh_ms);

    assert_non_null(index);
    store_set_listener(store, note_event, index);
    return index;
}

/* Sets when a tag was pushed, in seconds since 1970. */
static void age(const char *tag, time_t pushed_s)
{
    const struct timespec times[2] = {{.tv_sec = pushed_s}, {.tv_sec = pushed_s}};

    assert_int_equal(
        utimensat(AT_FDCWD, below("repositories/a/_manifests/tags/%s/current/link", tag), times, 0),
        0);
}

static struct tag_query query_of(enum tag_order order, const char *words, const char *last,
                                 size_t n)
{
    struct tag_query query = {.order = order, .last = last, .n = n};

    name_search_init(&query.search, words);
    return query;
}

/* The names that a search finds, with a blank after each; calls again until the index is read. */
static const char *found(struct tag_index *index, const struct tag_query *query,
                         struct tag_page *page)
{
    static char text[4096];
    int64_t since_ms = monotonic_ms();
    struct error err = {0};
    int r;

    do
        r = tag_index_search(index, "a", query, since_ms, TAG_INDEX_ALL, page, &err);
    while (r == STORE_WOULD_WAIT);
    assert_int_equal(r, 0);
    assert_true(page->is_complete);
    text[0] = '\0';
    for (size_t i = 0; i < page->count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", page->items[i].name);
    return text;
}

static void assert_found(struct tag_index *index, enum tag_order order, const char *words,
                         const char *names)
{
    const struct tag_query query = query_of(order, words, "", 100);
    struct tag_page page;

    assert_string_equal(found(index, &query, &page), names);
    assert_string_equal(page.next, "");
    assert_int_equal(page.total, page.count);
    tag_page_done(&page);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void tags_are_found_by_age_and_by_name(void **state)
{
    static const struct { const char *tag; time_t pushed_s; } tags[] = {
        {"b", 500}, {"a", 500}, {"Release-2", 900}, {"release-1", 800}, {"z", 100},
    };
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_index(store, 100, 3600000);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        push_image(store, "a", tags[i].tag, "1", NULL);
        age(tags[i].tag, tags[i].pushed_s);
    }
    assert_found(index, TAG_ORDER_NEWEST, "", "Release-2 release-1 a b z ");
    assert_found(index, TAG_ORDER_NAME, "", "Release-2 a b release-1 z ");
    assert_found(index, TAG_ORDER_NEWEST, "release", "Release-2 release-1 ");
    assert_found(index, TAG_ORDER_NEWEST, " 1  REL ", "release-1 ");
    assert_found(index, TAG_ORDER_NEWEST, "release 3", "");
}

/* Every page size leads through all tags once, in the same order. */
static void pages_are_the_whole_list(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_index(store, 100, 3600000);
    char all[2048], tag[16];

    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(tag, sizeof(tag), "t%d", i);
        push_image(store, "a", tag, "1", NULL);
        age(tag, 1000 + i * 7 % 10); /* several have the same age */
    }
    for (int order = TAG_ORDER_NEWEST; order <= TAG_ORDER_NAME; order++) {
        struct tag_query query = query_of((enum tag_order)order, "", "", 100);
        struct tag_page page;

        snprintf(all, sizeof(all), "%s", found(index, &query, &page));
        tag_page_done(&page);
        for (size_t n = 1; n < 8; n++) {
            char pages[2048] = "", last[TAG_CURSOR_SIZE] = "";

            do {
                query = query_of((enum tag_order)order, "", last, n);
                strcat(pages, found(index, &query, &page));
                assert_int_equal(page.total, 60);
                strcpy(last, page.next);
                tag_page_done(&page);
            } while (*last);
            assert_string_equal(pages, all);
        }
    }
}

static void changes_of_this_server_are_seen_at_once(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_index(store, 100, 3600000);
    struct digest digest;
    struct error err = {0};

    (void)state;
    push_image(store, "a", "old", "1", NULL);
    age("old", 1000);
    push_image(store, "a", "older", "1", NULL);
    age("older", 900);
    assert_found(index, TAG_ORDER_NEWEST, "", "old older ");
    digest = push_image(store, "a", "older", "2", NULL);
    assert_found(index, TAG_ORDER_NEWEST, "", "older old ");
    push_image(store, "a", "new", "1", NULL);
    assert_found(index, TAG_ORDER_NEWEST, "", "new older old ");
    assert_int_equal(store_delete_tag(store, "a", "old", NULL, &err), 0);
    assert_found(index, TAG_ORDER_NEWEST, "", "new older ");
    assert_int_equal(store_delete_manifest(store, "a", &digest, NULL, &err), 0);
    assert_found(index, TAG_ORDER_NEWEST, "", "new ");
}

/* A search that begins later lists the tags again, and reads the times of some. */
static void changes_of_another_server_are_seen(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(store_closep) struct store *other = NULL;
    CLEANUP(tag_index_freep) struct tag_index *index = make_index(store, 100, 0);
    struct error err = {0};

    (void)state;
    assert_int_equal(open_store_at("root", FILESYSTEM_SERVES, &other, &err), 0);
    push_image(store, "a", "one", "1", NULL);
    age("one", 1000);
    push_image(store, "a", "two", "1", NULL);
    age("two", 1100);
    assert_found(index, TAG_ORDER_NEWEST, "", "two one ");
    push_image(other, "a", "one", "2", NULL);
    push_image(other, "a", "three", "2", NULL);
    age("three", 900);
    assert_int_equal(store_delete_tag(other, "a", "two", NULL, &err), 0);
    assert_found(index, TAG_ORDER_NEWEST, "", "one three ");
}

/* With no time to work, a call reads a few tags, and the next one goes on. */
static void a_large_repository_is_read_in_steps(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_index(store, 0, 3600000);
    struct tag_query query = query_of(TAG_ORDER_NEWEST, "", "", 1);
    int64_t since_ms = monotonic_ms();
    struct error err = {0};
    struct tag_page page;
    size_t known = 0;
    char tag[16];
    int r;

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(tag, sizeof(tag), "t%02d", i);
        push_image(store, "a", tag, "1", NULL);
        age(tag, 1000 + i);
    }
    assert_int_equal(tag_index_search(index, "a", &query, since_ms, TAG_INDEX_ALL, &page, &err),
                     STORE_WOULD_WAIT);
    do {
        r = tag_index_search(index, "a", &query, since_ms, TAG_INDEX_WHAT_IS_KNOWN, &page, &err);
        assert_int_equal(r, 0);
        assert_true(page.total > known);
        known = page.total;
        r = page.is_complete;
        tag_page_done(&page);
    } while (!r);
    assert_int_equal(known, 100);

    /* What is pushed meanwhile is not hidden by a table that is older. */
    push_image(store, "a", "newest", "1", NULL);
    assert_string_equal(found(index, &query, &page), "newest ");
    assert_int_equal(page.total, 101);
    tag_page_done(&page);
    assert_int_equal(store_delete_tag(store, "a", "newest", NULL, &err), 0);
    assert_string_equal(found(index, &query, &page), "t99 ");
    tag_page_done(&page);
}

/* Many tags, whose list no call can read as a whole. */
static struct tag_index *make_slow_index(struct store *store, unsigned fresh_ms)
{
    struct tag_index *index = make_index(store, 0, fresh_ms);
    struct tag_query query = query_of(TAG_ORDER_NEWEST, "", "", 1);
    struct tag_page page;
    char tag[16];

    for (int i = 0; i < 100; i++) {
        snprintf(tag, sizeof(tag), "t%02d", i);
        push_image(store, "a", tag, "1", NULL);
        age(tag, 1000 + i);
    }
    assert_string_equal(found(index, &query, &page), "t99 ");
    tag_page_done(&page);
    return index;
}

/* One search must do, which shows the three newest tags. */
static void assert_seen_at_once(struct tag_index *index, const char *names, size_t total)
{
    struct tag_query query = query_of(TAG_ORDER_NEWEST, "", "", 3);
    struct tag_page page;
    struct error err = {0};
    char text[256] = "";

    assert_int_equal(
        tag_index_search(index, "a", &query, monotonic_ms(), TAG_INDEX_ALL, &page, &err), 0);
    assert_true(page.is_complete);
    for (size_t i = 0; i < page.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", page.items[i].name);
    assert_string_equal(text, names);
    assert_int_equal(page.total, total);
    tag_page_done(&page);
}

static void a_change_of_this_server_needs_no_new_list(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_slow_index(store, 3600000);
    struct digest digest;
    struct error err = {0};

    (void)state;
    push_image(store, "a", "new", "1", NULL);
    assert_seen_at_once(index, "new t99 t98 ", 101);
    push_image(store, "a", NULL, "untagged", NULL);
    assert_seen_at_once(index, "new t99 t98 ", 101);
    digest = push_image(store, "a", "t00", "2", NULL);
    assert_seen_at_once(index, "t00 new t99 ", 101);
    assert_int_equal(store_delete_tag(store, "a", "t99", NULL, &err), 0);
    assert_seen_at_once(index, "t00 new t98 ", 100);
    assert_int_equal(store_delete_manifest(store, "a", &digest, NULL, &err), 0);
    assert_seen_at_once(index, "new t98 t97 ", 99);
}

/* The list is read again meanwhile, and is older than what is pushed. */
static void a_change_during_a_new_list_is_not_lost(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_slow_index(store, 0);
    struct tag_query query = query_of(TAG_ORDER_NEWEST, "", "", 2);
    struct tag_page page;
    struct error err = {0};

    (void)state;
    assert_int_equal(
        tag_index_search(index, "a", &query, monotonic_ms(), TAG_INDEX_ALL, &page, &err),
        STORE_WOULD_WAIT);
    push_image(store, "a", "new", "1", NULL);
    for (int i = 0; i < 20; i++) {
        int64_t since_ms = monotonic_ms();
        int r = tag_index_search(index, "a", &query, since_ms, TAG_INDEX_WHAT_IS_KNOWN, &page,
                                 &err);

        assert_int_equal(r, 0);
        assert_string_equal(page.items[0].name, "new");
        assert_string_equal(page.items[1].name, "t99");
        tag_page_done(&page);
    }
}

static void too_many_changes_need_a_new_list(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_slow_index(store, 3600000);
    struct tag_query query = query_of(TAG_ORDER_NEWEST, "", "", 2);
    struct event event = {.kind = EVENT_DELETE_TAG, .repository = "a", .tag = "gone"};
    struct tag_page page;

    (void)state;
    for (int i = 0; i < 1100; i++)
        tag_index_note(index, &event);
    push_image(store, "a", "t00", "2", NULL);
    push_image(store, "a", "new", "1", NULL);
    assert_string_equal(found(index, &query, &page), "new t00 ");
    assert_int_equal(page.total, 101);
    tag_page_done(&page);
    assert_seen_at_once(index, "new t00 t99 ", 101);
}

static void what_is_not_there_is_not_kept(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_index(store, 100, 3600000);
    struct tag_query query = query_of(TAG_ORDER_NEWEST, "", "", 1), wrong = query;
    struct tag_page page;
    struct error err = {0};

    (void)state;
    assert_int_equal(tag_index_search(index, "none", &query, 0, TAG_INDEX_ALL, &page, &err),
                     STORE_NOT_FOUND);
    assert_int_equal(
        tag_index_search(index, "none", &query, 0, TAG_INDEX_WHAT_IS_KNOWN, &page, &err),
        STORE_NOT_FOUND);
    push_image(store, "a", NULL, "1", NULL); /* without a tag */
    assert_found(index, TAG_ORDER_NEWEST, "", "");
    push_image(store, "a", "t", "1", NULL);
    assert_found(index, TAG_ORDER_NEWEST, "", "t ");
    tag_index_drop_unused(index, -1000);
    assert_found(index, TAG_ORDER_NEWEST, "", "t ");
    for (size_t i = 0; i < 3; i++) {
        wrong.last = ((const char *[]){"x", "-", "99999999999999999999-t"})[i];
        assert_int_equal(tag_index_search(index, "a", &wrong, 0, TAG_INDEX_ALL, &page, &err),
                         -EINVAL);
    }
}

/* More repositories than fit: the index forgets some, and reads them again. */
static void many_repositories_are_bounded(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(tag_index_freep) struct tag_index *index = make_index(store, 100, 3600000);
    struct tag_query query = query_of(TAG_ORDER_NAME, "", "", 5);

    (void)state;
    for (int i = 0; i < 2 * TAG_INDEX_REPOSITORIES; i++) {
        char name[16];
        struct tag_page page;
        struct error err = {0};

        snprintf(name, sizeof(name), "r%d", i);
        push_image(store, name, "t", "1", NULL);
        assert_int_equal(tag_index_search(index, name, &query, 0, TAG_INDEX_ALL, &page, &err), 0);
        assert_int_equal(page.total, 1);
        tag_page_done(&page);
    }
}

static void who_pushed_is_recorded(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest one = push_image(store, "a", "t", "1", NULL), two;
    char actor[PUSH_ACTOR_MAX + 1];
    struct error err = {0};

    (void)state;
    assert_int_equal(store_find_push(store, "a", "t", &one, actor, &err), STORE_NOT_FOUND);
    assert_int_equal(store_note_push(store, "a", "t", &one, "alice", &err), 0);
    assert_int_equal(store_find_push(store, "a", "t", &one, actor, &err), 0);
    assert_string_equal(actor, "alice");
    two = push_image(store, "a", "t", "2", NULL); /* by a program that records nothing */
    assert_int_equal(store_find_push(store, "a", "t", &two, actor, &err), STORE_NOT_FOUND);
    assert_int_equal(store_note_push(store, "a", "t", &two, "bob", &err), 0);
    assert_int_equal(store_delete_tag(store, "a", "t", NULL, &err), 0);
    assert_is_absent(below("repositories/a/_registryd/pushed/tags/t"));
    push_image(store, "a", "t", "2", NULL);
    assert_int_equal(store_note_push(store, "a", "t", &two, "carol", &err), 0);
    assert_int_equal(store_delete_manifest(store, "a", &two, NULL, &err), 0);
    assert_is_absent(below("repositories/a/_registryd/pushed/tags/t"));
    make_file(below("repositories/a/_registryd/pushed/tags/t"), "nonsense");
    assert_int_equal(store_find_push(store, "a", "t", &two, actor, &err), STORE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(tags_are_found_by_age_and_by_name),
        scratch_test(pages_are_the_whole_list),
        scratch_test(changes_of_this_server_are_seen_at_once),
        scratch_test(changes_of_another_server_are_seen),
        scratch_test(a_large_repository_is_read_in_steps),
        scratch_test(a_change_of_this_server_needs_no_new_list),
        scratch_test(a_change_during_a_new_list_is_not_lost),
        scratch_test(too_many_changes_need_a_new_list),
        scratch_test(what_is_not_there_is_not_kept),
        scratch_test(many_repositories_are_bounded),
        scratch_test(who_pushed_is_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
