#include "helper/pass/entry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/check.h"
#include "tests/unit/store-fixture.h"

/* Returns the list as text: "url user\n" for each server. */
static void list(const struct pass_store *store, char *ret_text, size_t size)
{
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    struct error err;

    assert_int_equal(pass_entry_list(store, &listing, &err), 0);
    ret_text[0] = '\0';
    for (size_t i = 0; i < listing.count; i++) {
        const struct pass_listed *item = &listing.items[i];
        size_t used = strlen(ret_text);

        snprintf(ret_text + used, size - used, "%.*s %.*s\n", (int)item->url_size, (const char *)item->url,
                 (int)item->username_size, item->username);
    }
}

static void assert_list_is(const char *expected)
{
    CLEANUP(pass_store_done) struct pass_store store = open_store();
    char text[4096];

    list(&store, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void make_server(const char *url, const char *file)
{
    struct pass_path path = path_of(url, NULL);
    char name[600];

    snprintf(name, sizeof(name), BELOW_DIRECTORY "%s/%s", path.directory, file);
    make_file(name, "");
}

static void servers_are_sorted_by_url_not_by_directory(void **state)
{
    /* Their base64 forms sort in another order. */
    static const char *const urls[] = {"\x01", "?>", "A", "Zz", "a", "a.b", "a/", "ab", "https://b", "z", "~~~", "\xC3\xA9", "\xFF"};
    char expected[512] = "";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        size_t used = strlen(expected);

        make_server(urls[ARRAY_SIZE(urls) - 1 - i], "u.gpg");
        snprintf(expected + used, sizeof(expected) - used, "%s u\n", urls[i]);
    }
    assert_list_is(expected);
}

static void each_server_is_listed_once_with_its_first_user(void **state)
{
    (void)state;
    make_server("a", "y.gpg");
    make_server("a", "x/z.gpg");
    make_server("b", "tenancy/user.gpg");
    assert_list_is("a x/z\nb tenancy/user\n");
}

static void a_url_may_contain_any_byte(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    struct error err;

    (void)state;
    make_file(BELOW_DIRECTORY "YQBi/u.gpg", ""); /* "a\0b" */
    make_file(BELOW_DIRECTORY "YQ==/u.gpg", "");
    store = open_store();
    assert_int_equal(pass_entry_list(&store, &listing, &err), 0);
    assert_int_equal(listing.count, 2);
    assert_int_equal(listing.items[0].url_size, 1);
    assert_int_equal(listing.items[1].url_size, 3);
    assert_memory_equal(listing.items[1].url, "a\0b", 3);
}

static void the_longest_url_and_username_are_listed(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    char url[PASS_URL_MAX + 1], file[PASS_USERNAME_MAX + 400];
    struct error err;

    (void)state;
    fill(url, 'x', PASS_URL_MAX);
    snprintf(file, sizeof(file), BELOW_DIRECTORY "%s/%s.gpg", path_of(url, NULL).directory, longest_username());
    make_file(file, "");
    store = open_store();
    assert_int_equal(pass_entry_list(&store, &listing, &err), 0);
    assert_int_equal(listing.count, 1);
    assert_int_equal(listing.items[0].url_size, PASS_URL_MAX);
    assert_int_equal(listing.items[0].username_size, PASS_USERNAME_MAX);
}

static void other_names_are_not_listed(void **state)
{
    (void)state;
    make_server("a", "u.gpg");
    make_server("no entry", "README");
    make_file(BELOW_DIRECTORY ".git/x.gpg", "");
    make_file(BELOW_DIRECTORY "not base64/x.gpg", "");
    make_file(BELOW_DIRECTORY "YR==/x.gpg", ""); /* not canonical: a get would not find it */
    make_file(BELOW_DIRECTORY "YQ/x.gpg", "");
    make_file(BELOW_DIRECTORY "Yg==", "a file");
    make_directory(BELOW_DIRECTORY "Yw==");
    make_link(BELOW_DIRECTORY "ZA==", "nowhere");
    make_file(BELOW_DIRECTORY ".gpg-id", "");
    make_file(BELOW_DIRECTORY "x.gpg", "");
    assert_list_is("a u\n");
}

static void a_server_behind_a_link_is_listed(void **state)
{
    (void)state;
    make_file("elsewhere/u.gpg", "");
    make_link(BELOW_DIRECTORY "YQ==", "../../elsewhere");
    assert_list_is("a u\n");
}

static void an_empty_store_has_an_empty_list(void **state)
{
    (void)state;
    assert_list_is("");
    make_directory("store");
    assert_list_is("");
    make_directory(BELOW_DIRECTORY);
    assert_list_is("");
}

static void listing_twice_lists_the_same(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    char first[64], second[64];

    (void)state;
    make_server("a", "u.gpg");
    store = open_store();
    list(&store, first, sizeof(first));
    list(&store, second, sizeof(second));
    assert_string_equal(first, "a u\n");
    assert_string_equal(second, first);
}

static void many_servers_are_listed(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    struct error err;
    char url[16];

    (void)state;
    for (int i = 0; i < 150; i++) {
        snprintf(url, sizeof(url), "server-%03d", i);
        make_server(url, "u.gpg");
    }
    store = open_store();
    assert_int_equal(pass_entry_list(&store, &listing, &err), 0);
    assert_int_equal(listing.count, 150);
    assert_memory_equal(listing.items[149].url, "server-149", 10);
}

static int list_unprivileged(void *store)
{
    struct pass_listing listing = {.count = 99};
    struct error err;

    if (geteuid() == 0 && setuid(65534) < 0)
        return 1;
    return pass_entry_list(store, &listing, &err) == -EACCES && listing.count == 99 ? 0 : 2;
}

static void a_server_that_cannot_be_read_fails_the_whole_list(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_server("a", "u.gpg");
    make_server("b", "u.gpg");
    assert_int_equal(chmod(BELOW_DIRECTORY "Yg==", 0), 0);
    store = open_store();
    assert_int_equal(run_in_child(list_unprivileged, &store), 0);
    assert_int_equal(chmod(BELOW_DIRECTORY "Yg==", 0755), 0);
}
static void freeing_twice_is_allowed(void **state)
{
    struct pass_listing listing = {0};

    (void)state;
    pass_listing_done(&listing);
    assert_int_equal(listing.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(servers_are_sorted_by_url_not_by_directory),
        store_test(each_server_is_listed_once_with_its_first_user),
        store_test(a_url_may_contain_any_byte),
        store_test(the_longest_url_and_username_are_listed),
        store_test(other_names_are_not_listed),
        store_test(a_server_behind_a_link_is_listed),
        store_test(an_empty_store_has_an_empty_list),
        store_test(listing_twice_lists_the_same),
        store_test(many_servers_are_listed),
        store_test(a_server_that_cannot_be_read_fails_the_whole_list),
        store_test(freeing_twice_is_allowed),
    };

    return cmocka_run_group_tests_name("entry-list", tests, NULL, NULL);
}
