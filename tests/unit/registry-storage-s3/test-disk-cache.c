/* The disk cache by itself: what is served, what fits, and what stays after faults. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/digest.h"
#include "registry/storage/s3/disk-cache.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

enum { MEBIBYTE = 1 << 20, BLOB = 200000, LARGE = 9 * MEBIBYTE };

/* --- what the cache tells -------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char told[4096];

static void report(const char *text)
{
    size_t size;

    pthread_mutex_lock(&mutex);
    size = strlen(told);
    snprintf(told + size, sizeof(told) - size, "%s\n", text);
    pthread_mutex_unlock(&mutex);
}

static unsigned count_told(const char *part)
{
    unsigned count = 0;

    pthread_mutex_lock(&mutex);
    for (const char *at = told; (at = strstr(at, part)); at += strlen(part))
        count++;
    pthread_mutex_unlock(&mutex);
    return count;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* --- caches ---------------------------------------------------------------------------------- */

static struct storage_copy_counters counters_of(struct disk_cache *cache)
{
    struct storage_copy_counters counters;

    disk_cache_count(cache, &counters);
    return counters;
}

static struct disk_cache *begin_cache(uint64_t max)
{
    struct disk_cache *cache;
    struct error err = {0};

    if (disk_cache_new(
            &(struct disk_cache_options){.directory = "cache", .max = max, .report = report},
            &cache, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(disk_cache_start(cache, &err), 0);
    return cache;
}

static struct disk_cache *open_cache(uint64_t max)
{
    struct disk_cache *cache = begin_cache(max);

    pthread_mutex_lock(&mutex);
    told[0] = '\0';
    pthread_mutex_unlock(&mutex);
    while (!counters_of(cache).is_ready)
        pause_briefly();
    return cache;
}

/* A blob of that size whose bytes depend on a number. The last one is not made again. */
static const char *make_blob(unsigned number, size_t size, char ret_hex[65])
{
    static char bytes[LARGE];
    static struct digest digest;
    static size_t made_size = SIZE_MAX;
    static unsigned made_number;

    if (made_size != size || made_number != number) {
        for (size_t i = 0; i < size; i++)
            bytes[i] = (char)(i * 7 + i / 4093 + number);
        assert_int_equal(digest_of(DIGEST_SHA256, bytes, size, &digest), 0);
        made_size = size;
        made_number = number;
    }
    memcpy(ret_hex, digest.hex, 65);
    return bytes;
}

/* Returns whether there was room. Waits until the blob is there. */
static bool fill_blob(struct disk_cache *cache, unsigned number, size_t size)
{
    char hex[65];
    const char *bytes = make_blob(number, size, hex);
    uint64_t fills = counters_of(cache).fills;
    struct disk_cache_fill *one = disk_cache_fill_begin(cache, hex, size);

    if (!one)
        return false;
    disk_cache_fill_write(one, bytes, size / 2);
    disk_cache_fill_write(one, bytes + size / 2, size - size / 2);
    assert_int_equal(disk_cache_fill_get_size(one), size);
    disk_cache_fill_end(one);
    while (counters_of(cache).fills == fills)
        pause_briefly();
    return true;
}

/* Fails if the bytes are wrong. */
static enum disk_cache_outcome read_blob(struct disk_cache *cache, unsigned number, size_t size)
{
    static char found[LARGE];
    char hex[65];
    const char *bytes = make_blob(number, size, hex);
    struct disk_cache_file *file;
    enum disk_cache_outcome outcome = disk_cache_open(cache, hex, &file);

    if (outcome != DISK_CACHE_HIT) {
        assert_null(file);
        return outcome;
    }
    assert_int_equal(file->size, size);
    assert_int_equal(pread(file->fd, found, size, 0), size);
    assert_memory_equal(found, bytes, size);
    disk_cache_close(file);
    return outcome;
}

static const char *path_of(unsigned number, size_t size)
{
    static char path[128];
    char hex[65];

    make_blob(number, size, hex);
    snprintf(path, sizeof(path), "cache/%s", hex);
    return path;
}

/* The time of the last change of a file may be a few milliseconds coarse. */
static void wait_for_later_change(int fd, const struct stat *before)
{
    struct stat st;

    do {
        pause_briefly();
        assert_int_equal(fchmod(fd, 0400), 0);
        assert_int_equal(fstat(fd, &st), 0);
    } while (st.st_ctim.tv_sec == before->st_ctim.tv_sec &&
             st.st_ctim.tv_nsec == before->st_ctim.tv_nsec);
}

/* Flips a bit of a byte of a file. */
static void damage(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    struct stat before;
    char byte;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    wait_for_later_change(fd, &before);
    close(fd);
}

/* Changes a file, but not its bytes. */
static void touch(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat before;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &before), 0);
    wait_for_later_change(fd, &before);
    close(fd);
}

/* The bytes of all files. */
static uint64_t measure_directory(void)
{
    DIR *names = opendir("cache");
    const struct dirent *entry;
    uint64_t bytes = 0;
    struct stat st;

    assert_non_null(names);
    while ((entry = readdir(names)))
        if (fstatat(dirfd(names), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    closedir(names);
    return bytes;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void a_blob_is_found_after_it_was_filled(void **state)
{
    struct disk_cache *cache = open_cache(10 * MEBIBYTE);

    (void)state;
    assert_mode_is("cache", 0700);
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_MISS);
    assert_true(fill_blob(cache, 1, BLOB));
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_HIT);
    assert_mode_is(path_of(1, BLOB), 0600);
    assert_false(fill_blob(cache, 1, BLOB));
    assert_true(fill_blob(cache, 0, 0));
    assert_int_equal(read_blob(cache, 0, 0), DISK_CACHE_HIT);
    assert_int_equal(counters_of(cache).hits, 2);
    assert_int_equal(counters_of(cache).misses, 1);
    assert_string_equal(told, "");
    disk_cache_free(cache);
}

static void bytes_that_are_wrong_or_missing_are_not_kept(void **state)
{
    struct disk_cache *cache = open_cache(10 * MEBIBYTE);
    struct disk_cache_fill *one;
    char hex[65];
    const char *bytes;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        bytes = make_blob(1, BLOB, hex);
        one = disk_cache_fill_begin(cache, hex, BLOB);
        assert_non_null(one);
        assert_null(disk_cache_fill_begin(cache, hex, BLOB));
        assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_BUSY);
        disk_cache_fill_write(one, bytes, BLOB - 1);
        if (i == 1)
            disk_cache_fill_write(one, "!", 1);
        if (i == 2)
            disk_cache_fill_write(one, "more than that", 14);
        disk_cache_fill_end(one);
        while (counters_of(cache).bytes > 0)
            pause_briefly();
        assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_MISS);
        assert_tree_is("cache", "lock\n");
    }
    disk_cache_free(cache);
}

static void a_file_is_verified_at_its_first_use_after_a_start(void **state)
{
    struct disk_cache *cache = open_cache(40 * MEBIBYTE);
    unsigned tries = 0;

    (void)state;
    for (unsigned i = 1; i <= 3; i++)
        assert_true(fill_blob(cache, i, BLOB));
    assert_true(fill_blob(cache, 4, LARGE));
    assert_true(fill_blob(cache, 5, LARGE));
    disk_cache_free(cache);
    damage(path_of(2, BLOB), BLOB / 2);
    assert_int_equal(truncate(path_of(3, BLOB), BLOB - 1), 0);
    damage(path_of(5, LARGE), LARGE - 1);

    cache = open_cache(40 * MEBIBYTE);
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_HIT);
    assert_int_equal(read_blob(cache, 2, BLOB), DISK_CACHE_BUSY);
    assert_int_equal(read_blob(cache, 2, BLOB), DISK_CACHE_MISS);
    assert_int_equal(read_blob(cache, 3, BLOB), DISK_CACHE_BUSY);
    assert_int_equal(read_blob(cache, 3, BLOB), DISK_CACHE_MISS);
    assert_int_equal(count_told("it does not match its digest"), 2);
    while (read_blob(cache, 4, LARGE) != DISK_CACHE_HIT) {
        tries++;
        pause_briefly();
    }
    assert_true(tries > 0);
    while (read_blob(cache, 5, LARGE) != DISK_CACHE_MISS)
        pause_briefly();
    assert_int_equal(counters_of(cache).damaged, 3);
    assert_true(fill_blob(cache, 2, BLOB));
    assert_int_equal(read_blob(cache, 2, BLOB), DISK_CACHE_HIT);
    disk_cache_free(cache);
}

static void a_file_that_somebody_changed_is_not_trusted(void **state)
{
    struct disk_cache *cache = open_cache(10 * MEBIBYTE);

    (void)state;
    for (unsigned i = 1; i <= 4; i++) {
        assert_true(fill_blob(cache, i, BLOB));
        assert_int_equal(read_blob(cache, i, BLOB), DISK_CACHE_HIT);
    }
    damage(path_of(1, BLOB), BLOB / 2);
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_BUSY);
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_BUSY);
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_MISS);
    assert_int_equal(truncate(path_of(2, BLOB), 0), 0);
    assert_int_equal(read_blob(cache, 2, BLOB), DISK_CACHE_BUSY);
    assert_int_equal(read_blob(cache, 2, BLOB), DISK_CACHE_MISS);
    assert_int_equal(unlink(path_of(3, BLOB)), 0);
    assert_int_equal(read_blob(cache, 3, BLOB), DISK_CACHE_BUSY);
    assert_int_equal(read_blob(cache, 3, BLOB), DISK_CACHE_MISS);
    touch(path_of(4, BLOB)); /* harmless: verified again */
    assert_int_equal(read_blob(cache, 4, BLOB), DISK_CACHE_BUSY);
    assert_int_equal(read_blob(cache, 4, BLOB), DISK_CACHE_HIT);
    disk_cache_free(cache);
}

static void a_file_that_cannot_be_read_is_removed_when_its_readers_have_left(void **state)
{
    struct disk_cache *cache = open_cache(10 * MEBIBYTE);
    struct disk_cache_file *file;
    char hex[65];

    (void)state;
    assert_true(fill_blob(cache, 1, BLOB));
    make_blob(1, BLOB, hex);
    assert_int_equal(disk_cache_open(cache, hex, &file), DISK_CACHE_HIT);
    disk_cache_distrust(file);
    disk_cache_distrust(file);
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_BUSY);
    while (access(path_of(1, BLOB), F_OK) == 0)
        pause_briefly();
    assert_true(counters_of(cache).bytes > 0);
    disk_cache_close(file);
    while (counters_of(cache).bytes > 0)
        pause_briefly();
    assert_int_equal(count_told("it cannot be read"), 1);
    disk_cache_free(cache);
}

static void what_a_crash_leaves_is_removed_and_other_files_stay(void **state)
{
    char hex[65], path[128];
    struct disk_cache *cache;

    (void)state;
    make_blob(1, BLOB, hex);
    snprintf(path, sizeof(path), "cache/filling-%s", hex);
    make_file(path, "half a blob");
    make_file("cache/notes.txt", "of the administrator");
    make_file("cache/filling-station", "too");
    chmod("cache", 0700);
    cache = open_cache(10 * MEBIBYTE);
    assert_tree_is("cache", "filling-station\nlock\nnotes.txt\n");
    assert_true(fill_blob(cache, 1, BLOB));
    disk_cache_free(cache);
}

static void the_files_never_take_more_than_the_maximum(void **state)
{
    enum { MAX = MEBIBYTE, COUNT = 60 };
    struct disk_cache *cache = open_cache(MAX);
    struct disk_cache_fill *fills[8];
    unsigned running = 0;
    char hex[65];

    (void)state;
    assert_false(fill_blob(cache, 100, MAX / 4 + 1));
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(fill_blob(cache, i, BLOB));
        assert_true(measure_directory() <= MAX);
        assert_true(counters_of(cache).bytes <= MAX);
        assert_int_equal(read_blob(cache, 0, BLOB), DISK_CACHE_HIT); /* a popular one stays */
    }
    assert_int_equal(counters_of(cache).evictions, COUNT - 5);

    /* Running fills count, and do not evict each other. */
    for (; running < ARRAY_SIZE(fills); running++) {
        make_blob(200 + running, BLOB, hex);
        fills[running] = disk_cache_fill_begin(cache, hex, BLOB);
        if (!fills[running])
            break;
    }
    assert_int_equal(running, 5);
    assert_true(counters_of(cache).bytes <= MAX);
    while (running > 0)
        disk_cache_fill_end(fills[--running]);
    disk_cache_free(cache);
    assert_tree_is("cache", "lock\n");
}

static void a_smaller_maximum_evicts_the_oldest_at_the_start(void **state)
{
    struct disk_cache *cache = open_cache(10 * MEBIBYTE);

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        const struct timespec times[] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};

        assert_true(fill_blob(cache, i, BLOB));
        assert_int_equal(utimensat(AT_FDCWD, path_of(i, BLOB), times, 0), 0);
    }
    disk_cache_free(cache);
    cache = open_cache(MEBIBYTE);
    assert_true(measure_directory() <= MEBIBYTE);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(read_blob(cache, i, BLOB), i < 5 ? DISK_CACHE_MISS : DISK_CACHE_HIT);
    disk_cache_free(cache);
}

static void a_second_process_waits_for_the_directory(void **state)
{
    struct disk_cache *first = open_cache(10 * MEBIBYTE), *second = begin_cache(10 * MEBIBYTE);
    char hex[65];

    (void)state;
    assert_true(fill_blob(first, 1, BLOB));
    while (count_told("another process uses it") == 0)
        pause_briefly();
    make_blob(1, BLOB, hex);
    assert_int_equal(read_blob(second, 1, BLOB), DISK_CACHE_BUSY);
    assert_null(disk_cache_fill_begin(second, hex, BLOB));
    disk_cache_free(first);
    while (!counters_of(second).is_ready)
        pause_briefly();
    assert_int_equal(read_blob(second, 1, BLOB), DISK_CACHE_HIT);
    assert_int_equal(count_told("another process uses it"), 1);
    disk_cache_free(second);
}

static void a_disk_that_fails_stops_fills_and_is_told_once(void **state)
{
    struct disk_cache *cache = open_cache(10 * MEBIBYTE);
    struct disk_cache_fill *fills[2];
    struct rlimit limit, small;
    char hex[65];
    const char *bytes;

    (void)state;
    assert_true(fill_blob(cache, 1, BLOB));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = BLOB / 2;
    for (unsigned i = 0; i < 2; i++) {
        make_blob(2 + i, BLOB, hex);
        fills[i] = disk_cache_fill_begin(cache, hex, BLOB);
        assert_non_null(fills[i]);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (unsigned i = 0; i < 2; i++) {
        bytes = make_blob(2 + i, BLOB, hex);
        disk_cache_fill_write(fills[i], bytes, BLOB);
        disk_cache_fill_end(fills[i]);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_null(disk_cache_fill_begin(cache, hex, BLOB));
    assert_int_equal(count_told("takes no more blobs"), 1);
    assert_int_equal(read_blob(cache, 1, BLOB), DISK_CACHE_HIT);
    disk_cache_free(cache);
    assert_int_equal(measure_directory(), BLOB);
}

static void a_directory_that_is_not_private_is_refused(void **state)
{
    struct disk_cache_options options = {.max = MEBIBYTE};
    struct disk_cache *cache;
    struct error err;

    (void)state;
    make_file("file", "");
    options.directory = "file";
    assert_true(disk_cache_new(&options, &cache, &err) < 0);
    assert_says(&err, "storage.cache.directory: cannot open file: Not a directory");
    options.directory = "no/such/directory";
    assert_true(disk_cache_new(&options, &cache, &err) < 0);
    assert_says(&err, "cannot create no/such/directory: No such file or directory");
    make_directory("open");
    assert_int_equal(chmod("open", 0777), 0);
    options.directory = "open";
    assert_true(disk_cache_new(&options, &cache, &err) < 0);
    assert_says(&err, "other users may write to open: run chmod 700 open");
    if (geteuid() != 0)
        return;
    make_directory("theirs");
    assert_int_equal(chown("theirs", 65534, 65534), 0);
    options.directory = "theirs";
    assert_true(disk_cache_new(&options, &cache, &err) < 0);
    assert_says(&err, "theirs belongs to user 65534, not to user 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_blob_is_found_after_it_was_filled),
        scratch_test(bytes_that_are_wrong_or_missing_are_not_kept),
        scratch_test(a_file_is_verified_at_its_first_use_after_a_start),
        scratch_test(a_file_that_somebody_changed_is_not_trusted),
        scratch_test(a_file_that_cannot_be_read_is_removed_when_its_readers_have_left),
        scratch_test(what_a_crash_leaves_is_removed_and_other_files_stay),
        scratch_test(the_files_never_take_more_than_the_maximum),
        scratch_test(a_smaller_maximum_evicts_the_oldest_at_the_start),
        scratch_test(a_second_process_waits_for_the_directory),
        scratch_test(a_disk_that_fails_stops_fills_and_is_told_once),
        scratch_test(a_directory_that_is_not_private_is_refused),
    };

    return cmocka_run_group_tests_name("disk-cache", tests, NULL, NULL);
}
