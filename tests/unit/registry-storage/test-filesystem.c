/* The filesystem backend's behaviour beyond the contract. */
#include "registry/storage/filesystem/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "registry/storage/filesystem/beneath.h"
#include "tests/unit/registry-core/support.h"

static struct storage *storage;

static int set_up(void **state)
{
    struct error err = {0};

    return scratch_set_up(state) < 0 ? -1
                                     : filesystem_open("root", FILESYSTEM_SERVES, &storage, &err);
}

static int tear_down(void **state)
{
    storage_close(storage);
    return scratch_tear_down(state);
}

#define filesystem_test(function)                                                                  \
    {                                                                                              \
#function, function, set_up, tear_down, NULL                                               \
    }

static struct storage_step put_of(const char *key, const char *text)
{
    return (struct storage_step){
        .kind = STORAGE_PUT, .key = key, .data = text, .size = strlen(text)};
}

static void objects_are_files(void **state)
{
    struct storage_step steps[] = {
        put_of("a/b/c", "one"),
        put_of("a/b/d", ""),
        put_of("top", "two"),
        put_of("a/b/c", "three"),
        {.kind = STORAGE_MARK, .key = "x/y/"},
        {.kind = STORAGE_MARK, .key = "a/b/"},
    };
    struct error err = {0};

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(storage_write(storage, steps, ARRAY_SIZE(steps), &err), 0);
    assert_tree_is(ROOT, "_temporary/\na/\na/b/\na/b/c\na/b/d\ntop\nx/\nx/y/\n");
    assert_file_is(below("a/b/c"), "three");
    assert_file_is(below("top"), "two");
}

/* A failed operation keeps the old content, and leaves no partial files. */
static void a_failure_leaves_nothing_behind(void **state)
{
    struct storage_step steps[] = {put_of("a/b", "new"), put_of("new/directory/c", "new"),
                                   put_of("file/below/d", "new")};
    struct error err = {0};

    (void)state;
    make_file(below("a/b"), "old");
    make_file(below("file"), "");
    assert_int_equal(storage_write(storage, steps, 3, &err), -ENOTDIR);
    assert_says(&err, "cannot write root/docker/registry/v2/file/below/d: Not a directory");
    assert_file_is(below("a/b"), "new"); /* written before the failure */
    assert_tree_is(ROOT, "_temporary/\na/\na/b\nfile\nnew/\nnew/directory/\nnew/directory/c\n");
    make_directory(below("in/the/way"));
    steps[0] = put_of("made/for/nothing", "");
    steps[1] = put_of("in/the/way", "");
    assert_true(storage_write(storage, steps + 1, 1, &err) < 0);
    steps[0].kind = STORAGE_PUT;
    steps[0].key = "made/for/a/name/of/256/bytes/"
                   "0123456789012345678901234567890123456789012345678901234567890123456789012345678"
                   "901234567890123456789"
                   "0123456789012345678901234567890123456789012345678901234567890123456789012345678"
                   "901234567890123456789"
                   "01234567890123456789012345678901234567890123456789012345";
    assert_int_equal(storage_write(storage, steps, 1, &err), -ENAMETOOLONG);
    assert_is_absent(below("made"));
}

static void the_umask_is_honoured(void **state)
{
    struct storage_step step = put_of("a/b", "");
    struct storage_upload *upload;
    struct error err = {0};

    (void)state;
    umask(077);
    assert_int_equal(storage_write(storage, &step, 1, &err), 0);
    assert_int_equal(storage_upload_open(storage, "s/data", STORAGE_UPLOAD_NEW, 0, &upload, &err),
                     0);
    storage_upload_close(upload);
    umask(022);
    assert_mode_is(below("a/b"), 0600);
    assert_mode_is(below("a"), 0700);
    assert_mode_is(below("s/data"), 0600);
    umask(0);
    step.key = "c/d";
    assert_int_equal(storage_write(storage, &step, 1, &err), 0);
    umask(022);
    assert_mode_is(below("c/d"), 0644);
    assert_mode_is(below("c"), 0755);
}

/* --- links and special files ------------------------------------------------------------- */

/* Returns the result of each operation for a key. */
enum { OPERATIONS = 10 };

static int try_one(int operation, const char *key, struct error *err)
{
    struct storage_step step = put_of(key, "new");
    struct storage_version version = {{0}};
    struct storage_upload *upload = NULL;
    struct storage_reader *reader = NULL;
    struct storage_object object;
    struct storage_list list = {0};
    char prefix[64], *bytes = NULL;
    bool is_used;
    size_t size;
    int r;

    switch (operation) {
    case 0:
        return storage_head(storage, key, STORAGE_MAY_WAIT, &object, err);
    case 1:
        r = storage_get(storage, key, 99, STORAGE_MAY_WAIT, &bytes, &size, err);
        free(bytes);
        return r;
    case 2:
        r = storage_open(storage, key, STORAGE_MAY_WAIT, &reader, &object, err);
        storage_reader_close(reader);
        return r;
    case 3:
        return storage_refresh(storage, key, STORAGE_MAY_WAIT, &object, err);
    case 4:
        return storage_note(storage, key, "new", 3, err);
    case 5:
        r = storage_upload_open(storage, key, STORAGE_UPLOAD_RESUME, 0, &upload, err);
        storage_upload_close(upload);
        return r;
    case 6:
        step.kind = STORAGE_KEEP;
        return storage_write(storage, &step, 1, err);
    case 7:
        return storage_remove_if_unchanged(storage, key, &version, err);
    case 8:
        return storage_used_since(storage, key, 0, &is_used, err);
    default:
        snprintf(prefix, sizeof(prefix), "%s/", key);
        r = storage_list(storage, prefix, NULL, SIZE_MAX, &list, err);
        storage_list_done(&list);
        return r;
    }
}

static void no_link_is_followed(void **state)
{
    static const char *const keys[] = {"a/link", "b/link", "c/directory", "d/directory/file"};
    struct storage_step step = put_of("a/link", "new");
    struct error err = {0};

    (void)state;
    make_file("outside/file", "old");
    make_link(below("a/link"), "../../../../../outside/file");
    make_link(below("b/link"), "no/where");
    make_link(below("c/directory"), "../../../../../outside");
    make_link(below("d/directory"), "../../../../../outside");
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        for (int operation = 0; operation < OPERATIONS; operation++) {
            err.text[0] = '\0';
            if (try_one(operation, keys[i], &err) != -ELOOP)
                fail_msg("%s, operation %d: %s", keys[i], operation, err.text);
            assert_says(&err, "a symbolic link is in its path");
        }
    }
    assert_int_equal(storage_write(storage, &step, 1, &err), 0); /* replaces the link itself */
    assert_file_is("outside/file", "old");
    assert_file_is(below("a/link"), "new");
    step.key = "d/directory/new";
    assert_int_equal(storage_write(storage, &step, 1, &err), -ELOOP);
    step.key = "d/directory/deeper/new";
    assert_int_equal(storage_write(storage, &step, 1, &err), -ELOOP);
    assert_tree_is("outside", "file\n");
}

static void no_link_is_followed_in_removal(void **state)
{
    static const char *const keys[] = {"a/", "b/directory/file"};
    struct error err = {0};

    (void)state;
    make_file("outside/file", "");
    make_link(below("a/link"), "../../../../../outside");
    make_link(below("b/directory"), "../../../../../outside");
    assert_int_equal(storage_remove(storage, keys, 1, &err), 0);
    assert_is_absent(below("a"));
    assert_int_equal(storage_remove(storage, keys + 1, 1, &err), -ELOOP);
    make_link(below("_temporary"), "../../../outside");
    assert_int_equal(storage_clean_up(storage, 0, &err), -ELOOP);
    assert_says(&err, "_temporary");
    assert_file_is("outside/file", "");
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* The FIFO has no writer; waiting for one would cause a timeout. */
static void a_fifo_and_a_socket_are_named_and_never_waited_for(void **state)
{
    static const char *const keys[] = {"a/fifo", "a/socket"}, *const words[] = {"it is a FIFO",
                                                                                "it is a socket"};
    struct error err = {0};

    (void)state;
    make_directory(below("a"));
    assert_int_equal(mkfifo(below("a/fifo"), 0600), 0);
    make_socket(below("a/socket"));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        for (int operation = 0; operation <= 6; operation++) {
            err.text[0] = '\0';
            if (try_one(operation, keys[i], &err) != -ENXIO)
                fail_msg("%s, operation %d: %s", keys[i], operation, err.text);
            assert_says(&err, words[i]);
        }
    }
}

/* The same without openat2(), as on a kernel before 5.6: each component is opened separately. */
static void paths_are_resolved_by_component_too(void **state)
{
    struct stat st;
    CLEANUP_CLOSE int root = -1;

    (void)state;
    make_file("tree/a/b/file", "text");
    make_link("tree/a/link", "b");
    make_link("tree/a/file", "b/file");
    root = open("tree", O_PATH | O_DIRECTORY | O_CLOEXEC);
    beneath_use_components(true);
    assert_int_equal(beneath_stat(root, "a/b/file", &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(beneath_stat(root, "a/link/file", &st), -ELOOP);
    assert_int_equal(beneath_stat(root, "a/file", &st), -ELOOP);
    assert_int_equal(beneath_open(root, "a/file", O_RDONLY, 0), -ELOOP);
    assert_int_equal(beneath_open_directory(root, "a/link/"), -ELOOP);
    assert_int_equal(beneath_stat(root, "a/b/file/below", &st), -ENOTDIR);
    assert_int_equal(beneath_stat(root, "a/nothing", &st), -ENOENT);
    assert_int_equal(beneath_stat(root, "../tree/a/b/file", &st), -EXDEV);
    assert_int_equal(beneath_stat(root, "..", &st), -EXDEV);
    beneath_use_components(false);
    assert_int_equal(beneath_stat(root, "../tree/a/b/file", &st), -EXDEV);
}

static void links_of_the_administrator_lead_to_the_storage(void **state)
{
    struct storage *other = NULL;
    struct error err = {0};

    (void)state;
    make_directory("real");
    make_link("link", "real");
    assert_int_equal(filesystem_open("link", FILESYSTEM_SERVES, &other, &err), 0);
    assert_int_equal(storage_check(other, &err), 0);
    storage_close(other);
    assert_tree_is("real", "docker/\ndocker/registry/\ndocker/registry/v2/\n");
    make_directory("disk/v2");
    make_directory("third/docker");
    make_link("third/docker/registry", "../../disk");
    assert_int_equal(filesystem_open("third", FILESYSTEM_LOOKS, &other, &err), 0);
    storage_close(other);
    if (geteuid() != 0)
        return;
    assert_int_equal(fchownat(AT_FDCWD, "third/docker/registry", 12345, 12345, AT_SYMLINK_NOFOLLOW),
                     0);
    assert_int_equal(filesystem_open("third", FILESYSTEM_LOOKS, &other, &err), -ELOOP);
    assert_says(&err, "belongs to another user");
}

static void leftovers_are_cleaned_by_age(void **state)
{
    const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    const struct timespec future[2] = {{.tv_sec = INT32_MAX}, {.tv_sec = INT32_MAX}};
    struct error err = {0};

    (void)state;
    assert_int_equal(storage_clean_up(storage, 0, &err), 0);
    make_file(below("_temporary/old"), "");
    make_file(below("_temporary/new"), "");
    make_file(below("_temporary/future"), "");
    make_directory(below("_temporary/claims"));
    assert_int_equal(utimensat(AT_FDCWD, below("_temporary/old"), past, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, below("_temporary/claims"), past, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, below("_temporary/future"), future, 0), 0);
    assert_int_equal(storage_clean_up(storage, 3600, &err), 0);
    assert_tree_is(below("_temporary"), "claims/\nfuture\nnew\n");
    assert_int_equal(storage_clean_up(storage, 0, &err), 0);
    assert_tree_is(below("_temporary"), "claims/\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        filesystem_test(objects_are_files),
        filesystem_test(a_failure_leaves_nothing_behind),
        filesystem_test(the_umask_is_honoured),
        filesystem_test(no_link_is_followed),
        filesystem_test(no_link_is_followed_in_removal),
        filesystem_test(a_fifo_and_a_socket_are_named_and_never_waited_for),
        filesystem_test(paths_are_resolved_by_component_too),
        filesystem_test(links_of_the_administrator_lead_to_the_storage),
        filesystem_test(leftovers_are_cleaned_by_age),
    };

    return cmocka_run_group_tests_name("storage-filesystem", tests, NULL, NULL);
}
