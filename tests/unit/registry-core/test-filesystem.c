#include "registry/storage/filesystem/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/registry-core/support.h"

static struct driver *driver;

static int open_driver(void **state)
{
    struct error err = {0};

    return scratch_set_up(state) < 0 ? -1 : filesystem_open("root", DRIVER_SERVES, &driver, &err);
}

static int close_driver(void **state)
{
    driver->type->close(driver);
    return scratch_tear_down(state);
}

#define driver_test(function) {#function, function, open_driver, close_driver, NULL}

static struct driver_change change_to(const char *key, const char *text)
{
    return (struct driver_change){.kind = DRIVER_PUT, .key = key, .data = text, .size = strlen(text)};
}

static int publish(const struct driver_change *changes, size_t count, struct error *err)
{
    return driver->type->publish(driver, changes, count, err);
}

static void contents_are_put(void **state)
{
    struct driver_change changes[] = {
        change_to("a/b/c", "one"), change_to("a/b/d", ""), change_to("top", "two"), change_to("a/b/c", "three"),
        {.kind = DRIVER_FOLDER, .key = "x/y"}, {.kind = DRIVER_FOLDER, .key = "a/b"},
    };
    struct error err = {0};

    (void)state;
    assert_int_equal(publish(changes, ARRAY_SIZE(changes), &err), 0);
    assert_int_equal(publish(changes, ARRAY_SIZE(changes), &err), 0);
    assert_int_equal(publish(NULL, 0, &err), 0);
    assert_tree_is(ROOT, "_temporary/\na/\na/b/\na/b/c\na/b/d\ntop\nx/\nx/y/\n");
    assert_file_is(below("a/b/c"), "three");
    assert_file_is(below("top"), "two");
}

/* What cannot be done leaves what was there, and nothing half-made beside it. */
static void a_failure_leaves_nothing_behind(void **state)
{
    struct driver_change changes[] = {change_to("a/b", "new"), change_to("new/folder/c", "new"),
                                      change_to("file/below/d", "new")};
    struct error err = {0};

    (void)state;
    make_file(below("a/b"), "old");
    make_file(below("file"), "");
    assert_int_equal(publish(changes, 3, &err), -ENOTDIR);
    assert_says(&err, "cannot write root/docker/registry/v2/file/below/d: Not a directory");
    assert_file_is(below("a/b"), "new"); /* it was before the failure */
    assert_tree_is(ROOT, "_temporary/\na/\na/b\nfile\nnew/\nnew/folder/\nnew/folder/c\n");
    assert_int_equal(publish(&changes[2], 1, &err), -ENOTDIR);
    changes[2].key = "made/for/nothing/";
    assert_true(publish(&changes[2], 1, &err) < 0);
    assert_is_absent(below("made"));
}

static void links_are_not_followed_in_writing(void **state)
{
    struct driver_change change = change_to("a/link", "new");
    struct driver_session *session;
    struct error err = {0};
    uint64_t size;

    (void)state;
    make_file("outside", "old");
    make_link(below("a/link"), "../../../../../outside");
    assert_int_equal(driver->type->session_open(driver, "a/link", &session, &size, &err), -ELOOP);
    assert_int_equal(driver->type->note(driver, "a/link", "new", 3, &err), -ELOOP);
    assert_int_equal(publish(&change, 1, &err), 0);
    assert_file_is("outside", "old");
    assert_file_is(below("a/link"), "new");
}

static void the_umask_is_honoured(void **state)
{
    struct driver_change change = change_to("a/b", "");
    struct driver_session *session;
    struct error err = {0};
    uint64_t size;

    (void)state;
    umask(077);
    assert_int_equal(publish(&change, 1, &err), 0);
    assert_int_equal(driver->type->session_open(driver, "s/data", &session, &size, &err), 0);
    driver->type->session_close(session);
    umask(022);
    assert_mode_is(below("a/b"), 0600);
    assert_mode_is(below("a"), 0700);
    assert_mode_is(below("s/data"), 0600);
    umask(0);
    change.key = "c/d";
    assert_int_equal(publish(&change, 1, &err), 0);
    umask(022);
    assert_mode_is(below("c/d"), 0644);
    assert_mode_is(below("c"), 0755);
}

static void a_session_is_taken(void **state)
{
    struct driver_change change = {.kind = DRIVER_TAKE, .key = "x/y/data"};
    struct error err = {0};
    uint64_t size = 99;
    char text[8] = "";

    (void)state;
    assert_int_equal(driver->type->session_open(driver, "s/data", &change.session, &size, &err), 0);
    assert_int_equal(size, 0);
    assert_int_equal(driver->type->session_append(change.session, 0, "hel", 3, &err), 0);
    assert_int_equal(driver->type->session_append(change.session, 3, "lo", 2, &err), 0);
    assert_int_equal(driver->type->session_read(change.session, 1, text, 3), 3);
    assert_string_equal(text, "ell");
    assert_int_equal(publish(&change, 1, &err), 0);
    driver->type->session_close(change.session);
    assert_tree_is(ROOT, "_temporary/\ns/\nx/\nx/y/\nx/y/data\n");
    assert_file_is(below("x/y/data"), "hello");
    assert_int_equal(driver->type->session_open(driver, "s/data", &change.session, &size, &err), 0);
    assert_int_equal(size, 0);
    driver->type->session_close(change.session);
    driver->type->session_close(NULL);
}

static void reading_tells_what_is_not_there(void **state)
{
    struct folder_names names = {0};
    struct driver_reader *reader;
    struct driver_stat st;
    struct error err = {0};
    char *text;
    size_t size;

    (void)state;
    make_file(below("file"), "hello");
    for (int i = 0; i < 2; i++) {
        const char *key = i ? "file/below" : "nothing";

        assert_int_equal(driver->type->stat(driver, key, &st, &err), DRIVER_NOT_FOUND);
        assert_int_equal(driver->type->read(driver, key, 9, &text, &size, &err), DRIVER_NOT_FOUND);
        assert_int_equal(driver->type->open(driver, key, &reader, &err), DRIVER_NOT_FOUND);
        assert_int_equal(driver->type->list(driver, key, &names, &err), DRIVER_NOT_FOUND);
    }
    assert_int_equal(driver->type->list(driver, "file", &names, &err), DRIVER_NOT_FOUND);
    assert_int_equal(driver->type->stat(driver, "file", &st, &err), 0);
    assert_int_equal(st.size, 5);
    assert_int_equal(driver->type->read(driver, "file", 4, &text, &size, &err), -EFBIG);
    assert_says(&err, "cannot read root/docker/registry/v2/file: File too large");
    assert_int_equal(driver->type->read(driver, "file", 5, &text, &size, &err), 0);
    assert_string_equal(text, "hello");
    free(text);
}

static void removal_takes_folders_with_all_in_them(void **state)
{
    static const char *const keys[] = {"a/b", "a/x", "a/c", "b/nothing", "nothing/below", "top", "c/d/e"};
    struct error err = {0};

    (void)state;
    make_file(below("a/b/deep/er/file"), "");
    make_file(below("a/b/file"), "");
    make_file(below("a/c"), "");
    make_file(below("a/stays"), "");
    make_file(below("b/stays"), "");
    make_file(below("c/d/e"), "");
    make_file(below("top"), "");
    assert_int_equal(driver->type->remove(driver, keys, ARRAY_SIZE(keys), &err), 0);
    assert_tree_is(ROOT, "a/\na/stays\nb/\nb/stays\nc/\nc/d/\n");
    assert_int_equal(driver->type->remove(driver, keys, ARRAY_SIZE(keys), &err), 0);
    assert_int_equal(driver->type->remove(driver, NULL, 0, &err), 0);
}

/* Nothing outside is removed through a link. */
static void removal_follows_no_links(void **state)
{
    static const char *const keys[] = {"a"};
    struct error err = {0};

    (void)state;
    make_file("outside/file", "");
    make_link(below("a/link"), "../../../../../outside");
    assert_int_equal(driver->type->remove(driver, keys, 1, &err), 0);
    assert_is_absent(below("a"));
    assert_file_is("outside/file", "");
}

static void leftovers_are_cleaned_by_age(void **state)
{
    const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    const struct timespec future[2] = {{.tv_sec = INT32_MAX}, {.tv_sec = INT32_MAX}};
    struct error err = {0};

    (void)state;
    assert_int_equal(driver->type->clean(driver, 0, &err), 0);
    make_file(below("_temporary/old"), "");
    make_file(below("_temporary/new"), "");
    make_file(below("_temporary/future"), "");
    assert_int_equal(utimensat(AT_FDCWD, below("_temporary/old"), past, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, below("_temporary/future"), future, 0), 0);
    assert_int_equal(driver->type->clean(driver, 3600, &err), 0);
    assert_tree_is(below("_temporary"), "future\nnew\n");
    assert_int_equal(driver->type->clean(driver, 0, &err), 0);
    assert_tree_is(below("_temporary"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        driver_test(contents_are_put),
        driver_test(a_failure_leaves_nothing_behind),
        driver_test(links_are_not_followed_in_writing),
        driver_test(the_umask_is_honoured),
        driver_test(a_session_is_taken),
        driver_test(reading_tells_what_is_not_there),
        driver_test(removal_takes_folders_with_all_in_them),
        driver_test(removal_follows_no_links),
        driver_test(leftovers_are_cleaned_by_age),
    };

    return cmocka_run_group_tests_name("store-filesystem", tests, NULL, NULL);
}
