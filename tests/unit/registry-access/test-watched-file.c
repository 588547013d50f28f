#include "registry/access/watched-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static void a_file_is_read_whole(void **state)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    struct file_stamp stamp;
    struct error err;

    (void)state;
    make_file("f", "u:hash\n");
    assert_int_equal(watched_file_read("f", &content, &err), 0);
    assert_int_equal(content.size, 7);
    assert_memory_equal(content.text, "u:hash\n", 7);
    file_stamp_take("f", &stamp);
    assert_true(file_stamp_is_equal(&stamp, &content.stamp));
}

static void an_empty_file_is_read_too(void **state)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    struct error err;

    (void)state;
    make_file("f", "");
    assert_int_equal(watched_file_read("f", &content, &err), 0);
    assert_int_equal(content.size, 0);
}

static void world_readable_files_are_reported(void **state)
{
    static const struct {
        mode_t mode;
        bool is_public;
    } modes[] = {{0600, false}, {0640, false}, {0644, true}, {0404, true}};
    struct error err;

    (void)state;
    make_file("f", "x");
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        CLEANUP(file_content_done) struct file_content content = {0};

        assert_int_equal(chmod("f", modes[i].mode), 0);
        assert_int_equal(watched_file_read("f", &content, &err), 0);
        assert_int_equal(content.is_public, modes[i].is_public);
    }
}

static void links_are_followed(void **state)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    struct error err;

    (void)state;
    make_file("..data/htpasswd", "x");
    make_link("htpasswd", "..data/htpasswd");
    assert_int_equal(watched_file_read("htpasswd", &content, &err), 0);
}

static void check_refused(const char *path, int code, const char *text)
{
    struct file_content content = {.size = 99};
    struct error err = {0};

    assert_int_equal(watched_file_read(path, &content, &err), -code);
    assert_says(&err, text);
    assert_says(&err, path);
    assert_int_equal(content.size, 99);
    assert_null(content.text);
}

static void missing_and_special_files_are_refused(void **state)
{
    (void)state;
    check_refused("absent", ENOENT, "cannot read absent: No such file");
    make_directory("directory");
    check_refused("directory", EISDIR, "Is a directory");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    check_refused("pipe", EINVAL, "is not a regular file");
    check_refused("/dev/null", EINVAL, "is not a regular file");
}

static void the_size_is_bounded(void **state)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    struct error err;

    (void)state;
    make_file("f", "");
    assert_int_equal(truncate("f", WATCHED_FILE_MAX), 0);
    assert_int_equal(watched_file_read("f", &content, &err), 0);
    assert_int_equal(content.size, WATCHED_FILE_MAX);
    assert_int_equal(truncate("f", WATCHED_FILE_MAX + 1), 0);
    check_refused("f", EFBIG, "is larger than 16 MiB");
}

static void check_changed(const struct file_stamp *before)
{
    struct file_stamp now;

    file_stamp_take("f", &now);
    assert_false(file_stamp_is_equal(before, &now));
}

static void every_change_shows_in_the_stamp(void **state)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct file_stamp stamp, again;

    (void)state;
    make_file("f", "one");
    file_stamp_take("f", &stamp);
    file_stamp_take("f", &again);
    assert_true(file_stamp_is_equal(&stamp, &again));

    make_file("f", "three");
    check_changed(&stamp);
    file_stamp_take("f", &stamp);

    make_file("g", "three"); /* the same size, another file */
    assert_int_equal(rename("g", "f"), 0);
    check_changed(&stamp);
    file_stamp_take("f", &stamp);

    assert_int_equal(utimensat(AT_FDCWD, "f", long_ago, 0), 0);
    check_changed(&stamp);
    file_stamp_take("f", &stamp);

    assert_int_equal(unlink("f"), 0);
    check_changed(&stamp);
    file_stamp_take("f", &stamp);
    assert_int_equal(stamp.error, ENOENT);
    assert_false(file_stamp_is_fresh(&stamp));
}

/* Unpacking or copying a file with its old time is also a change. */
static void a_file_just_changed_is_recent_with_timestamps_in_seconds(void **state)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct file_stamp stamp;

    (void)state;
    make_file("f", "x");
    assert_int_equal(utimensat(AT_FDCWD, "f", long_ago, 0), 0);
    file_stamp_take("f", &stamp);
    assert_true(file_stamp_is_fresh(&stamp));
    stamp.changed.tv_sec -= 3;
    assert_false(file_stamp_is_fresh(&stamp));
    stamp.changed.tv_sec += 3600;
    assert_false(file_stamp_is_fresh(&stamp));
    file_stamp_take("f", &stamp);
    stamp.modified.tv_nsec = stamp.changed.tv_nsec = 1;
    assert_false(file_stamp_is_fresh(&stamp));
    stamp.changed.tv_nsec = 0;
    assert_true(file_stamp_is_fresh(&stamp));
}

/* Apache's htpasswd truncates the file, and fills it a moment later: only older content is used. */
static void a_file_just_written_is_left_alone_for_a_moment(void **state)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    struct timespec now, written;
    struct error err;

    (void)state;
    make_file("f", "old:hash\n");
    make_file("f", "");
    assert_int_equal(watched_file_read("f", &content, &err), 0);
    clock_gettime(CLOCK_REALTIME, &now);
    written = content.stamp.changed;
    assert_true((now.tv_sec - written.tv_sec) * 1000 + (now.tv_nsec - written.tv_nsec) / 1000000 >=
                20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_file_is_read_whole),
        scratch_test(an_empty_file_is_read_too),
        scratch_test(world_readable_files_are_reported),
        scratch_test(links_are_followed),
        scratch_test(missing_and_special_files_are_refused),
        scratch_test(the_size_is_bounded),
        scratch_test(every_change_shows_in_the_stamp),
        scratch_test(a_file_just_changed_is_recent_with_timestamps_in_seconds),
        scratch_test(a_file_just_written_is_left_alone_for_a_moment),
    };

    return cmocka_run_group_tests_name("htpasswd-file", tests, NULL, NULL);
}
