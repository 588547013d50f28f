/*
 * Caches must never return outdated content. The old content is read, so that it may be cached, and
 * then changed in each way in which another program can change the storage.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "registry/storage/filesystem/content-cache.h"
#include "registry/storage/filesystem/directory-cache.h"
#include "registry/storage/filesystem/stamp.h"
#include "tests/unit/registry-core/support.h"

static void cache_free(struct content_cache **cache)
{
    content_cache_free(*cache);
}

static void directories_free(struct directory_cache **cache)
{
    directory_cache_free(*cache);
}

/* Backdates the last change by an hour. */
static struct stat settled_stamp(const char *path)
{
    struct stat stamp;

    assert_int_equal(stat(path, &stamp), 0);
    stamp.st_ctim.tv_sec -= 3600;
    return stamp;
}

static bool knows(struct content_cache *cache, const char *key, const struct stat *stamp,
                  const char *text)
{
    CLEANUP_FREE char *bytes = NULL;
    size_t size;

    if (content_cache_get(cache, key, stamp, &bytes, &size) < 0)
        return false;
    assert_int_equal(size, strlen(text));
    assert_string_equal(bytes, text);
    return true;
}

static void content_is_cached_by_stamp_and_key(void **state)
{
    CLEANUP(cache_free) struct content_cache *cache = content_cache_new();
    struct stat stamp, other;

    (void)state;
    make_file("file", "hello");
    stamp = settled_stamp("file");
    assert_false(knows(cache, "a", &stamp, "hello"));
    content_cache_put(cache, "a", &stamp, "hello", 5);
    assert_true(knows(cache, "a", &stamp, "hello"));
    assert_false(knows(cache, "b", &stamp, "hello"));
    for (int i = 0; i < 5; i++) {
        other = stamp;
        *(i == 0   ? &other.st_ctim.tv_nsec
          : i == 1 ? &other.st_mtim.tv_nsec
          : i == 2 ? &other.st_mtim.tv_sec
          : i == 3 ? (long *)&other.st_ino
                   : (long *)&other.st_dev) += 1;
        assert_false(knows(cache, "a", &other, "hello"));
    }
    content_cache_put(cache, "a", &other, "later", 5);
    assert_true(knows(cache, "a", &other, "later"));
    assert_false(knows(cache, "a", &stamp, "hello"));
}

static void recently_changed_content_is_not_cached(void **state)
{
    CLEANUP(cache_free) struct content_cache *cache = content_cache_new();
    struct stat stamp;

    (void)state;
    make_file("file", "hello");
    assert_int_equal(stat("file", &stamp), 0);
    assert_false(stamp_is_settled(&stamp));
    content_cache_put(cache, "a", &stamp, "hello", 5);
    assert_false(knows(cache, "a", &stamp, "hello"));
}

static void content_truncated_during_the_read_is_not_cached(void **state)
{
    CLEANUP(cache_free) struct content_cache *cache = content_cache_new();
    struct stat stamp;

    (void)state;
    make_file("file", "hello");
    stamp = settled_stamp("file");
    content_cache_put(cache, "a", &stamp, "hell", 4);
    assert_false(knows(cache, "a", &stamp, "hell"));
}

/* 100 MiB pass through the cache. */
static void the_size_of_the_cache_is_limited(void **state)
{
    CLEANUP(cache_free) struct content_cache *cache = content_cache_new();
    static char text[CONTENT_CACHE_SIZE_MAX];
    struct stat stamp;
    char key[16];
    int known = 0;

    (void)state;
    make_file("file", "");
    stamp = settled_stamp("file");
    stamp.st_size = sizeof(text);
    for (int i = 0; i < 1600; i++) {
        snprintf(key, sizeof(key), "%d", i);
        content_cache_put(cache, key, &stamp, text, sizeof(text));
    }
    for (int i = 0; i < 1600; i++) {
        CLEANUP_FREE char *bytes = NULL;
        size_t size;

        snprintf(key, sizeof(key), "%d", i);
        known += content_cache_get(cache, key, &stamp, &bytes, &size) == 0;
    }
    assert_true(known >= 1 && known <= 64);
}

/* --- changes by other programs ----------------------------------------------------------- */

static void wait_until_settled(const char *path)
{
    struct stat stamp;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(stat(path, &stamp), 0);
        if (stamp_is_settled(&stamp))
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    fail();
}

static void overwrite(const char *path, const char *text)
{
    CLEANUP_CLOSE int fd = open(path, O_WRONLY);

    assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static struct digest resolve(struct store *store)
{
    struct digest digest = {0};
    struct error err;

    assert_int_equal(store_resolve_tag(store, "r", "t", STORE_MAY_WAIT, &digest, &err), 0);
    return digest;
}

static void a_tag_moved_by_another_program_is_seen(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest first = sha256_of("1"), second = sha256_of("2"), third = sha256_of("3"), digest;
    char link[512];
    struct error err;

    (void)state;
    assert_int_equal(store_put_tag(store, "r", "t", &first, &err), 0);
    snprintf(link, sizeof(link), "%s", below("repositories/r/_manifests/tags/t/current/link"));
    wait_until_settled(link);
    for (int i = 0; i < 2; i++) {
        digest = resolve(store);
        assert_true(digest_is_equal(&digest, &first));
    }
    overwrite(link, text_of(second)); /* in place, as registry:2 does: same file, same size */
    digest = resolve(store);
    assert_true(digest_is_equal(&digest, &second));
    overwrite(link, text_of(first)); /* and back immediately */
    digest = resolve(store);
    assert_true(digest_is_equal(&digest, &first));
    wait_until_settled(link);
    resolve(store);
    assert_int_equal(remove(link), 0);
    make_file(link, text_of(third)); /* another file */
    digest = resolve(store);
    assert_true(digest_is_equal(&digest, &third));
    assert_int_equal(remove(link), 0);
    assert_int_equal(store_resolve_tag(store, "r", "t", STORE_MAY_WAIT, &digest, &err),
                     STORE_NOT_FOUND);
}

/* --- directories ------------------------------------------------------------------------- */

enum { MANY = 300 };

static void make_tags(int first, int end)
{
    for (int i = first; i < end; i++) {
        char path[512];

        snprintf(path, sizeof(path), "repositories/r/_manifests/tags/t%06d/current/link", i);
        make_file(below("%s", path), "sha256:0");
    }
}

static void assert_page(struct store *store, const char *last, size_t n, const char *first,
                        size_t count, bool has_more)
{
    CLEANUP(store_names_done) struct store_names page = {0};
    struct error err;

    assert_int_equal(store_list_tags(store, "r", last, n, &page, &err), 0);
    assert_int_equal(page.count, count);
    assert_int_equal(page.has_more, has_more);
    if (count > 0)
        assert_string_equal(page.items[0], first);
}

static void pages_of_a_large_directory_are_current(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    make_tags(0, MANY);
    wait_until_settled(below("repositories/r/_manifests/tags"));
    for (int i = 0; i < 2; i++) {
        assert_page(store, NULL, 10, "t000000", 10, true);
        assert_page(store, "t000099", 10, "t000100", 10, true);
        assert_page(store, "t000289", 10, "t000290", 10, false);
        assert_page(store, "t000290x", SIZE_MAX, "t000291", 9, false);
        assert_page(store, "u", 10, NULL, 0, false);
        assert_page(store, NULL, SIZE_MAX, "t000000", MANY, false);
        assert_page(store, NULL, 0, NULL, 0, false);
    }
    make_tags(MANY, MANY + 1);
    assert_page(store, "t000289", 10, "t000290", 10, true);
    assert_int_equal(remove(below("repositories/r/_manifests/tags/t000290/current/link")), 0);
    assert_page(store, "t000289", 10, "t000291", 10,
                false); /* only a directory with a link is a tag */
}

static void a_page_skips_directories_without_a_link(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    make_tags(0, 3);
    for (int i = 0; i < 50; i++)
        make_directory(below("repositories/r/_manifests/tags/s%06d", i));
    assert_page(store, NULL, 2, "t000000", 2, true);
    assert_page(store, NULL, 3, "t000000", 3, false);
}

static void put_directory(struct directory_cache *cache, const char *key, const struct stat *stamp,
                          int count)
{
    CLEANUP(storage_list_done) struct storage_list names = {0};
    char name[128];

    while (names.count < (size_t)count) {
        snprintf(name, sizeof(name), "%0100zu", names.count);
        assert_int_equal(storage_list_add(&names, name, strlen(name), true), 0);
    }
    directory_cache_put(cache, key, stamp, &names);
}

static bool knows_directory(struct directory_cache *cache, const char *key,
                            const struct stat *stamp)
{
    CLEANUP(storage_list_done) struct storage_list names = {0};

    return directory_cache_get(cache, key, stamp, NULL, 1, &names) == 0;
}

static void the_most_recently_used_directories_are_kept(void **state)
{
    CLEANUP(directories_free) struct directory_cache *cache = directory_cache_new();
    struct stat stamp, other;
    char key[16];

    (void)state;
    stamp = other = settled_stamp(".");
    other.st_mtim.tv_nsec += 1;
    put_directory(cache, "few", &stamp, 10);
    assert_false(knows_directory(cache, "few", &stamp));
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put_directory(cache, key, &stamp, MANY);
        assert_true(knows_directory(cache, key, &stamp));
        assert_false(knows_directory(cache, key, &other));
        assert_true(knows_directory(cache, "0", &stamp));
    }
    assert_false(knows_directory(cache, "5", &stamp));
    assert_true(knows_directory(cache, "18", &stamp));
    put_directory(cache, "huge", &stamp, 79100); /* nearly the maximum size */
    assert_true(knows_directory(cache, "huge", &stamp));
    assert_false(knows_directory(cache, "18", &stamp));
    put_directory(cache, "too huge", &stamp, 100000);
    assert_false(knows_directory(cache, "too huge", &stamp));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(content_is_cached_by_stamp_and_key),
        scratch_test(recently_changed_content_is_not_cached),
        scratch_test(content_truncated_during_the_read_is_not_cached),
        scratch_test(the_size_of_the_cache_is_limited),
        scratch_test(a_tag_moved_by_another_program_is_seen),
        scratch_test(pages_of_a_large_directory_are_current),
        scratch_test(a_page_skips_directories_without_a_link),
        scratch_test(the_most_recently_used_directories_are_kept),
    };

    return cmocka_run_group_tests_name("store-caches", tests, NULL, NULL);
}
