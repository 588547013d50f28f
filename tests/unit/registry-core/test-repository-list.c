#include "registry/core/repository-list.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

static void list_freep(struct repository_list **list)
{
    repository_list_free(*list);
}

static void note_event(void *list, const struct event *event)
{
    repository_list_note(list, event);
}

/* A list that hears of the changes of this store. */
static struct repository_list *make_list(struct store *store, unsigned fresh_ms)
{
    struct repository_list *list = repository_list_new(store, fresh_ms);

    assert_non_null(list);
    store_set_listener(store, note_event, list);
    return list;
}

/* The names, with a blank after each. */
static const char *names_in(struct repository_list *list)
{
    const struct repository_names *names;
    static char text[256];
    struct error err = {0};

    text[0] = '\0';
    assert_int_equal(repository_list_get(list, &names, &err), 0);
    for (size_t i = 0; i < names->names.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", names->names.items[i]);
    repository_list_release(list, names);
    return text;
}

static void what_this_server_creates_is_listed_at_once(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(list_freep) struct repository_list *list = make_list(store, 3600 * 1000);

    (void)state;
    assert_string_equal(names_in(list), "");
    push_blob(store, "team/app", "1");
    assert_string_equal(names_in(list), "team/app ");
    push_image(store, "base", "latest", "2", NULL);
    assert_string_equal(names_in(list), "base team/app ");
}

/* A repository of another server, whose changes are not heard. */
static void others_are_listed_when_the_list_is_no_longer_fresh(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(list_freep) struct repository_list *list = make_list(store, 3600 * 1000);
    CLEANUP(list_freep) struct repository_list *hasty = repository_list_new(store, 0);

    (void)state;
    push_blob(store, "a", "1");
    assert_string_equal(names_in(list), "a ");
    store_set_listener(store, NULL, NULL);
    push_blob(store, "b", "1");
    assert_string_equal(names_in(list), "a ");
    assert_string_equal(names_in(hasty), "a b ");
}

/* Pushes to known repositories are frequent, and reading the list is slow. */
static void a_push_to_a_known_repository_does_not_read_the_list_again(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(list_freep) struct repository_list *list = make_list(store, 3600 * 1000);

    (void)state;
    push_blob(store, "a", "1");
    assert_string_equal(names_in(list), "a ");
    store_set_listener(store, NULL, NULL);
    push_blob(store, "b", "1");
    store_set_listener(store, note_event, list);
    push_blob(store, "a", "2");
    assert_string_equal(names_in(list), "a ");
    push_blob(store, "c", "2");
    assert_string_equal(names_in(list), "a b c ");
}

static void an_unused_list_is_read_again(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(list_freep) struct repository_list *list = make_list(store, 3600 * 1000);
    const struct repository_names *held;
    struct error err = {0};

    (void)state;
    push_blob(store, "a", "1");
    assert_int_equal(repository_list_get(list, &held, &err), 0);
    store_set_listener(store, NULL, NULL);
    push_blob(store, "b", "1");
    repository_list_drop_unused(list, 3600 * 1000);
    assert_string_equal(names_in(list), "a ");
    repository_list_drop_unused(list, -1);
    assert_string_equal(names_in(list), "a b ");
    assert_int_equal(held->names.count, 1);
    repository_list_release(list, held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(what_this_server_creates_is_listed_at_once),
        scratch_test(others_are_listed_when_the_list_is_no_longer_fresh),
        scratch_test(a_push_to_a_known_repository_does_not_read_the_list_again),
        scratch_test(an_unused_list_is_read_again),
    };

    return cmocka_run_group_tests_name("repository-list", tests, NULL, NULL);
}
