#include "helper/pass/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/check.h"
#include "tests/unit/store-fixture.h"

/* Returns the result of pass_entry_open() for the URL; stores a found entry's username in ret_username. */
static int find(const char *url, char ret_username[PASS_USERNAME_MAX + 1], struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = open_store();
    CLEANUP(pass_entry_done) struct pass_entry entry = {.fd = -1};
    struct pass_path path = path_of(url, NULL);
    int r = pass_entry_open(&store, &path, &entry, err);

    if (r != 0) {
        assert_int_equal(entry.fd, -1);
        return r;
    }
    assert_true(entry.username_size <= PASS_USERNAME_MAX);
    assert_string_equal(entry.file + entry.username_size, PASS_SUFFIX);
    snprintf(ret_username, PASS_USERNAME_MAX + 1, "%.*s", (int)entry.username_size, entry.file);
    return 0;
}

static void assert_found(const char *expected)
{
    char username[PASS_USERNAME_MAX + 1];
    struct error err = {0};

    assert_case(expected, find(URL, username, &err) == 0);
    assert_string_equal(username, expected);
}

static void assert_not_found(void)
{
    char username[PASS_USERNAME_MAX + 1];
    struct error err = {0};

    assert_int_equal(find(URL, username, &err), PASS_NOT_FOUND);
}

static void make_entry(const char *username, const char *text)
{
    char path[PASS_USERNAME_MAX + 128];

    snprintf(path, sizeof(path), BELOW_SERVER "%s" PASS_SUFFIX, username);
    make_file(path, text);
}

/* --- pass_entry_open --------------------------------------------------------- */

static void an_entry_is_found_and_can_be_read(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_entry_done) struct pass_entry entry = {.fd = -1};
    struct pass_path path = path_of(URL, NULL);
    char content[16] = {0};
    struct error err;

    (void)state;
    make_entry("user", "message");
    store = open_store();
    assert_int_equal(pass_entry_open(&store, &path, &entry, &err), 0);
    assert_string_equal(entry.file, "user.gpg");
    assert_int_equal(entry.username_size, 4);
    assert_int_equal(read(entry.fd, content, sizeof(content) - 1), 7);
    assert_string_equal(content, "message");
    assert_true(fcntl(entry.fd, F_GETFD) & FD_CLOEXEC);
}

static void the_first_of_several_users_is_found(void **state)
{
    /* Each sorts before the existing ones. */
    static const char *const usernames[] = {"\xC3\xA9", "b", "a", "a.b", "Z", "<token>", "9", "10", ".hidden", "-x", " "};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(usernames); i++) {
        make_entry(usernames[i], "");
        assert_found(usernames[i]);
    }
}

static void directories_and_files_are_searched_level_by_level(void **state)
{
    (void)state;
    make_entry("b", "");
    make_entry("a/z", "");
    assert_found("a/z");
    make_entry("a/b/c", "");
    assert_found("a/b/c");
    make_entry("a!", ""); /* "a!.gpg" sorts after "a", and before "a/" */
    assert_found("a/b/c");
    make_entry("A", "");
    assert_found("A");
}

static void directories_without_an_entry_are_skipped(void **state)
{
    (void)state;
    make_directory(BELOW_SERVER "a/b/c");
    make_file(BELOW_SERVER "b/README", "");
    assert_not_found();
    make_entry("c/d", "");
    assert_found("c/d");
}

static void other_files_are_skipped(void **state)
{
    (void)state;
    make_file(BELOW_SERVER ".gpg", "");
    make_file(BELOW_SERVER ".gpg-id", "");
    make_file(BELOW_SERVER "README", "");
    make_file(BELOW_SERVER "a.gpg~", "");
    make_file(BELOW_SERVER "a.GPG", "");
    make_file(BELOW_SERVER ".git/objects/x.gpg", "");
    make_directory(BELOW_SERVER "directory.gpg");
    make_link(BELOW_SERVER "dangling.gpg", "nowhere");
    make_link(BELOW_SERVER "loop.gpg", "loop.gpg");
    assert_int_equal(mkfifo(BELOW_SERVER "fifo.gpg", 0600), 0);
    assert_not_found();
    make_entry("z", "");
    assert_found("z");
}

static void a_directory_named_like_an_entry_may_contain_entries(void **state)
{
    (void)state;
    make_entry("a.gpg/b", "");
    assert_found("a.gpg/b");
}

static void a_link_to_a_file_is_an_entry(void **state)
{
    (void)state;
    make_file("elsewhere", "");
    make_directory(BELOW_SERVER);
    make_link(BELOW_SERVER "user.gpg", "../../../elsewhere");
    assert_found("user");
}

static void a_link_to_a_directory_is_not_entered(void **state)
{
    (void)state;
    make_file("elsewhere/user.gpg", "");
    make_directory(BELOW_SERVER);
    make_link(BELOW_SERVER "a", "../../../elsewhere");
    make_link(BELOW_SERVER "up", "..");
    assert_not_found();
}

static void the_directory_of_a_server_may_be_a_link(void **state)
{
    (void)state;
    make_file("elsewhere/user.gpg", "");
    make_link(BELOW_DIRECTORY SERVER, "../../elsewhere");
    assert_found("user");
}

static void nothing_is_found_in_an_empty_store(void **state)
{
    (void)state;
    assert_not_found();
    make_directory("store");
    assert_not_found();
    make_directory(BELOW_DIRECTORY);
    assert_not_found();
    make_file(BELOW_DIRECTORY "b3RoZXI=/user.gpg", "");
    assert_not_found();
    make_directory(BELOW_SERVER);
    assert_not_found();
}

static void a_file_in_place_of_a_server_is_not_a_server(void **state)
{
    (void)state;
    make_file(BELOW_DIRECTORY SERVER, "");
    assert_not_found();
}

static void the_longest_username_is_found(void **state)
{
    (void)state;
    make_entry(longest_username(), "");
    assert_found(longest_username());
}

static void the_deepest_username_is_found(void **state)
{
    (void)state;
    make_entry(deepest_username(), "");
    assert_found(deepest_username());
}

static void entries_deeper_than_any_username_are_skipped(void **state)
{
    char username[402];

    (void)state;
    for (size_t i = 0; i < sizeof(username) - 1; i++)
        username[i] = i % 2 ? '/' : 'd';
    username[sizeof(username) - 1] = '\0';
    make_entry(username, "");
    assert_not_found();
    make_entry("user", "");
    assert_found("user");
}

static void names_longer_than_any_username_are_skipped(void **state)
{
    char part[256], path[2000] = BELOW_SERVER;

    (void)state;
    fill(part, 'x', 250);
    for (int i = 0; i < 5; i++) {
        size_t used = strlen(path);

        snprintf(path + used, sizeof(path) - used, "%s/", part);
    }
    make_directory(path);
    assert_not_found();
    make_entry("y", "");
    assert_found("y");
}

static void an_entry_larger_than_any_credential_is_a_failure(void **state)
{
    char username[PASS_USERNAME_MAX + 1];
    struct error err = {0};

    (void)state;
    make_entry("user", "");
    assert_int_equal(truncate(BELOW_SERVER "user.gpg", PASS_ENTRY_MAX), 0);
    assert_found("user");
    assert_int_equal(truncate(BELOW_SERVER "user.gpg", (off_t)1 << 30), 0);
    assert_int_equal(find(URL, username, &err), -EFBIG);
    assert_says(&err, "user.gpg is larger than any credential (16 MiB)");
}

static void an_age_store_is_named_in_the_error(void **state)
{
    char username[PASS_USERNAME_MAX + 1];
    struct error err = {0};

    (void)state;
    make_file(BELOW_SERVER "user.age", "");
    assert_true(find(URL, username, &err) < 0);
    assert_says(&err, "age");
    assert_says(&err, getenv("PASSWORD_STORE_DIR"));
    make_entry("z", "");
    assert_found("z");
}

static void a_server_that_cannot_be_read_is_a_failure(void **state)
{
    char username[PASS_USERNAME_MAX + 1];
    struct error err = {0};

    (void)state;
    make_link(BELOW_DIRECTORY SERVER, SERVER);
    assert_int_equal(find(URL, username, &err), -ELOOP);
    assert_says(&err, SERVER);
}

/* --- failures in a child, because they change the process------------------------- */

static int open_entry(const struct pass_store *store)
{
    struct pass_path path = path_of(URL, NULL);
    struct pass_entry entry = {.fd = -1};
    struct error err;
    int r = pass_entry_open(store, &path, &entry, &err);

    pass_entry_done(&entry);
    return r;
}

/* Returns 0 if, for any number of free descriptors, an existing entry is found or causes an error, never "not found". */
static int open_with_few_descriptors(void *argument)
{
    struct rlimit limit;
    int failures = 0, r = -1;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1;
    for (int fd = 32; fd > STDERR_FILENO; fd--)
        if (fd != ((struct pass_store *)argument)->directory_fd)
            close(fd);
    for (rlim_t n = 4; r != 0 && n < 64; n++) {
        limit.rlim_cur = n;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            return 1;
        r = open_entry(argument);
        if (r > 0)
            return 2;
        failures += r < 0;
    }
    return r == 0 && failures > 0 ? 0 : 3;
}

static void a_lack_of_descriptors_is_never_not_found(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_entry("a/b/c/d", "");
    store = open_store();
    assert_int_equal(run_in_child(open_with_few_descriptors, &store), 0);
}

static int open_unprivileged(void *store)
{
    if (geteuid() == 0 && setuid(65534) < 0)
        return 1;
    return open_entry(store) == -EACCES ? 0 : 2;
}

static void a_lack_of_permission_is_never_not_found(void **state)
{
    static const char *const closed[] = {BELOW_DIRECTORY SERVER, BELOW_SERVER "a", BELOW_SERVER "a/b.gpg"};
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_entry("a/b", "");
    store = open_store();
    for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
        assert_int_equal(chmod(closed[i], 0), 0);
        assert_int_equal(run_in_child(open_unprivileged, &store), 0);
        assert_int_equal(chmod(closed[i], 0755), 0);
    }
}

/* --- readers and a writer ------------------------------------------------------ */

/* Replaces one user by another, as a login does, until it is killed; one of them is deeply nested. */
static void replace_for_ever(void)
{
    char deep[PASS_USERNAME_MAX + 128];

    snprintf(deep, sizeof(deep), BELOW_SERVER "%s" PASS_SUFFIX, deepest_username());
    for (;;) {
        make_entry(deepest_username(), "message");
        unlink(BELOW_SERVER "a.gpg");
        make_entry("z", "message");
        unlink(deep);
        make_entry("a", "message");
        unlink(BELOW_SERVER "z.gpg");
    }
}

static void a_reader_always_finds_an_entry_during_writes(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    clock_t end = clock() + CLOCKS_PER_SEC / 10;
    int r = 0;
    pid_t pid;

    (void)state;
    make_entry("a", "message");
    store = open_store();
    pid = fork();
    if (pid == 0)
        replace_for_ever();
    while (clock() < end && r == 0)
        r = open_entry(&store);
    kill(pid, SIGKILL); /* also after a failure */
    waitpid(pid, NULL, 0);
    assert_int_equal(r, 0);
}

static void freeing_twice_is_allowed(void **state)
{
    struct pass_entry entry = {.fd = -1};

    (void)state;
    pass_entry_done(&entry);
    assert_int_equal(entry.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(an_entry_is_found_and_can_be_read),
        store_test(the_first_of_several_users_is_found),
        store_test(directories_and_files_are_searched_level_by_level),
        store_test(directories_without_an_entry_are_skipped),
        store_test(other_files_are_skipped),
        store_test(a_directory_named_like_an_entry_may_contain_entries),
        store_test(a_link_to_a_file_is_an_entry),
        store_test(a_link_to_a_directory_is_not_entered),
        store_test(the_directory_of_a_server_may_be_a_link),
        store_test(nothing_is_found_in_an_empty_store),
        store_test(a_file_in_place_of_a_server_is_not_a_server),
        store_test(the_longest_username_is_found),
        store_test(the_deepest_username_is_found),
        store_test(entries_deeper_than_any_username_are_skipped),
        store_test(names_longer_than_any_username_are_skipped),
        store_test(an_entry_larger_than_any_credential_is_a_failure),
        store_test(an_age_store_is_named_in_the_error),
        store_test(a_server_that_cannot_be_read_is_a_failure),
        store_test(a_lack_of_descriptors_is_never_not_found),
        store_test(a_lack_of_permission_is_never_not_found),
        store_test(a_reader_always_finds_an_entry_during_writes),
        store_test(freeing_twice_is_allowed),
    };

    return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
