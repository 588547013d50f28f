#include "tests/unit/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/unit/check.h"

static char directory[64];

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

enum { ENOUGH_MIB = 512 };

/*
 * Where scratch directories are made: in memory if possible, because a busy disk makes tests that
 * create thousands of files ten times slower. Some containers have a small /dev/shm, or one
 * from which no program can be started.
 */
static const char *scratch_parent(void)
{
    static const char memory[] = "/dev/shm";
    struct statvfs vfs;
    struct statfs fs;

    if (statfs(memory, &fs) < 0 || fs.f_type != TMPFS_MAGIC || statvfs(memory, &vfs) < 0 || access(memory, W_OK) < 0)
        return "/tmp";
    if (vfs.f_flag & (ST_NOEXEC | ST_RDONLY))
        return "/tmp";
    return (uint64_t)vfs.f_bavail * vfs.f_frsize >> 20 >= ENOUGH_MIB ? memory : "/tmp";
}

int scratch_set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "%s/unit-test.XXXXXX", scratch_parent());
    umask(022);
    return mkdtemp(directory) ? chdir(directory) : -1;
}

void scratch_run(void **state)
{
    int before = count_descriptors();

    (*(scratch_function **)*state)(state);
    assert_int_equal(count_descriptors(), before);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

int scratch_tear_down(void **state)
{
    (void)state;
    return chdir("/") < 0 ? -1 : nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_directory(void)
{
    return directory;
}

static void make_parents(const char *path)
{
    char *copy = strdup(path);

    assert_non_null(copy);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(copy, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    free(copy);
}

void make_directory(const char *path)
{
    make_parents(path);
    assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
}

void make_file(const char *path, const char *text)
{
    FILE *file;

    make_parents(path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void make_link(const char *path, const char *target)
{
    make_parents(path);
    assert_int_equal(symlink(target, path), 0);
}

void assert_file_is(const char *path, const char *text)
{
    char content[4096];
    FILE *file = fopen(path, "r");
    size_t size;

    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    size = fread(content, 1, sizeof(content) - 1, file);
    content[size] = '\0';
    fclose(file);
    assert_string_equal(content, text);
}

void assert_is_absent(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 || errno != ENOENT)
        fail_msg("%s is there", path);
}

void assert_mode_is(const char *path, mode_t mode)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

/* --- trees ------------------------------------------------------------------ */

static char tree[65536];
static size_t tree_root;

static int is_visible(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int compare_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void append_tree(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, compare_bytes);

    if (count < 0)
        fail_msg("%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        size_t used = strlen(tree);
        struct stat st;
        char *below;

        assert_true(asprintf(&below, "%s/%s", path, entries[i]->d_name) > 0);
        free(entries[i]);
        assert_int_equal(lstat(below, &st), 0);
        snprintf(tree + used, sizeof(tree) - used, "%s%s\n", below + tree_root, S_ISDIR(st.st_mode) ? "/" : "");
        if (S_ISDIR(st.st_mode))
            append_tree(below);
        free(below);
    }
    free(entries);
}

void assert_tree_is(const char *path, const char *expected)
{
    tree[0] = '\0';
    tree_root = strlen(path) + 1;
    append_tree(path);
    assert_string_equal(tree, expected);
}
