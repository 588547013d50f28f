#include "common/directory-names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/file.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/* A directory and its names, which most tests need. */
struct listing {
    int fd;
    struct directory_names names;
};

static struct listing read_directory(const char *path)
{
    struct listing listing = {.fd = file_open_directory(AT_FDCWD, path)};

    assert_true(listing.fd >= 0);
    assert_int_equal(directory_names_read(listing.fd, &listing.names), 0);
    return listing;
}

static void listing_done(struct listing *listing)
{
    directory_names_done(&listing->names);
    if (listing->fd >= 0)
        close(listing->fd);
}

static void names_are_sorted_bytewise(void **state)
{
    static const char *const sorted[] = {
        "\x01", "\n", " ", "-", "...", ".hidden", "10", "2", "A", "Z", "_", "a", "a b", "aa", "b", "\xC3\xA9", "\xFF",
    };
    CLEANUP(listing_done) struct listing listing = {.fd = -1};

    (void)state;
    for (size_t i = ARRAY_SIZE(sorted); i-- > 0;)
        make_file(sorted[i], "");
    listing = read_directory(".");
    assert_int_equal(listing.names.count, ARRAY_SIZE(sorted));
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        assert_string_equal(listing.names.names[i]->text, sorted[i]);
}

static void an_empty_directory_has_no_names(void **state)
{
    CLEANUP(listing_done) struct listing listing = read_directory(".");

    (void)state;
    assert_int_equal(listing.names.count, 0);
}

/* More names than the kernel returns in one call, so that the list grows several times. */
static void a_directory_of_any_size_is_read_whole(void **state)
{
    CLEANUP(listing_done) struct listing listing = {.fd = -1};
    enum { COUNT = 300 };
    char name[100];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "%03d-%050d", i, 0);
        make_link(name, "nowhere");
    }
    listing = read_directory(".");
    assert_int_equal(listing.names.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "%03d-%050d", i, 0);
        assert_string_equal(listing.names.names[i]->text, name);
    }
}

static void the_longest_name_is_read(void **state)
{
    CLEANUP(listing_done) struct listing listing = {.fd = -1};
    char name[256];

    (void)state;
    fill(name, 'x', 255);
    make_file(name, "");
    listing = read_directory(".");
    assert_int_equal(listing.names.count, 1);
    assert_string_equal(listing.names.names[0]->text, name);
}

static void other_files_are_a_failure(void **state)
{
    struct directory_names names = {.count = 99};
    CLEANUP_CLOSE int file = open("f", O_RDWR | O_CREAT, 0600);

    (void)state;
    assert_int_equal(directory_names_read(file, &names), -ENOTDIR);
    assert_int_equal(directory_names_read(-1, &names), -EBADF);
    assert_int_equal(names.count, 99);
}

static void a_directory_that_was_removed_is_empty(void **state)
{
    CLEANUP(listing_done) struct listing listing = {.fd = -1};

    (void)state;
    make_directory("d");
    listing.fd = file_open_directory(AT_FDCWD, "d");
    assert_int_equal(rmdir("d"), 0);
    assert_int_equal(directory_names_read(listing.fd, &listing.names), 0);
    assert_int_equal(listing.names.count, 0);
}

static const struct kind { const char *name; mode_t kind; } kinds[] = {
    {"a-directory", S_IFDIR},
    {"a-file", S_IFREG},
    {"dangling", 0},
    {"fifo", 0},
    {"link-to-directory", S_IFDIR},
    {"link-to-fifo", 0},
    {"link-to-file", S_IFREG},
    {"link-to-link", S_IFREG},
    {"loop", 0},
    {"socket", 0},
};

static void make_one_of_each_kind(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    make_file("a-file", "");
    make_directory("a-directory");
    make_link("dangling", "nowhere");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    make_link("link-to-fifo", "fifo");
    make_link("link-to-file", "a-file");
    make_link("link-to-directory", "a-directory");
    make_link("link-to-link", "link-to-file");
    make_link("loop", "loop");
}

static void the_kind_of_each_name_is_reported(void **state)
{
    CLEANUP(listing_done) struct listing listing = {.fd = -1};

    (void)state;
    make_one_of_each_kind();
    listing = read_directory(".");
    assert_int_equal(listing.names.count, ARRAY_SIZE(kinds));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        assert_string_equal(listing.names.names[i]->text, kinds[i].name);
        assert_case(kinds[i].name, directory_names_get_kind(&listing.names, i, listing.fd) == kinds[i].kind);
    }
}

static void the_kind_is_found_if_the_kernel_does_not_report_it(void **state)
{
    CLEANUP(listing_done) struct listing listing = {.fd = -1};

    (void)state;
    make_one_of_each_kind();
    listing = read_directory(".");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        listing.names.names[i]->type = DT_UNKNOWN;
        assert_case(kinds[i].name, directory_names_get_kind(&listing.names, i, listing.fd) == kinds[i].kind);
    }
}

static void a_removed_name_has_no_kind(void **state)
{
    CLEANUP(listing_done) struct listing listing = {.fd = -1};

    (void)state;
    make_file("f", "");
    make_link("link", "f");
    listing = read_directory(".");
    assert_int_equal(unlink("link"), 0);
    assert_int_equal(directory_names_get_kind(&listing.names, 1, listing.fd), 0);
}

static void a_freed_list_is_empty(void **state)
{
    struct directory_names names = {0};

    (void)state;
    directory_names_done(&names);
    assert_int_equal(names.count, 0);
    assert_null(names.names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(names_are_sorted_bytewise),
        scratch_test(an_empty_directory_has_no_names),
        scratch_test(a_directory_of_any_size_is_read_whole),
        scratch_test(the_longest_name_is_read),
        scratch_test(other_files_are_a_failure),
        scratch_test(a_directory_that_was_removed_is_empty),
        scratch_test(the_kind_of_each_name_is_reported),
        scratch_test(the_kind_is_found_if_the_kernel_does_not_report_it),
        scratch_test(a_removed_name_has_no_kind),
        scratch_test(a_freed_list_is_empty),
    };

    return cmocka_run_group_tests_name("directory-names", tests, NULL, NULL);
}
