#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/registry-core/support.h"

#define OLD "11111111-0c5b-44a0-a707-14b5c75f6f03"
#define NEW "22222222-0c5b-44a0-a707-14b5c75f6f03"
#define TORN "33333333-0c5b-44a0-a707-14b5c75f6f03"
#define NAMELESS "44444444-0c5b-44a0-a707-14b5c75f6f03"

enum { HOUR_MS = 60 * 60 * 1000 };

static char told[1024];

static void tell(void *object, const char *name, const char *id)
{
    size_t used = strlen(told);

    (void)object;
    snprintf(told + used, sizeof(told) - used, "%s %.8s\n", name, id);
}

static int purge(struct store *store, uint64_t age_ms, bool is_dry_run)
{
    struct error err = {0};

    told[0] = '\0';
    return store_purge_uploads(store, age_ms, is_dry_run, tell, NULL, &err);
}

static void make_session(const char *name, const char *id, time_t start)
{
    char text[32];
    struct tm tm;

    assert_non_null(gmtime_r(&start, &tm));
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    make_file(below("repositories/%s/_uploads/%s/startedat", name, id), text);
    make_file(below("repositories/%s/_uploads/%s/data", name, id), "x");
    make_file(below("repositories/%s/_uploads/%s/hashstates/sha256/1", name, id), "x");
}

static void make_older(const char *path, time_t by_s)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - by_s}, {.tv_sec = time(NULL) - by_s}};

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void old_sessions_are_removed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    time_t now = time(NULL);

    (void)state;
    make_session("only/uploads", OLD, now - 2 * 60 * 60);
    make_session("a", OLD, now - 2 * 60 * 60);
    make_session("a", NEW, now - 60);
    assert_int_equal(purge(store, HOUR_MS, true), 0);
    assert_string_equal(told, "a 11111111\nonly/uploads 11111111\n");
    assert_int_equal(purge(store, HOUR_MS, false), 0);
    assert_string_equal(told, "a 11111111\nonly/uploads 11111111\n");
    assert_is_absent(below("repositories/a/_uploads/" OLD));
    assert_is_absent(below("repositories/only/uploads/_uploads/" OLD));
    assert_file_is(below("repositories/a/_uploads/" NEW "/data"), "x");
    assert_int_equal(purge(store, HOUR_MS, false), 0);
    assert_string_equal(told, "");
}

static void sessions_without_a_start_time_have_the_age_of_their_objects(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    make_file(below("repositories/a/_uploads/" TORN "/startedat"), "");
    make_directory(below("repositories/a/_uploads/" NAMELESS));
    make_directory(below("repositories/a/_uploads/something-else"));
    assert_int_equal(purge(store, HOUR_MS, false), 0);
    assert_string_equal(told, "");
    make_older(below("repositories/a/_uploads/" TORN "/startedat"), 2 * 60 * 60);
    make_older(below("repositories/a/_uploads/" TORN), 2 * 60 * 60);
    make_older(below("repositories/a/_uploads/" NAMELESS), 2 * 60 * 60);
    make_older(below("repositories/a/_uploads/something-else"), 2 * 60 * 60);
    assert_int_equal(purge(store, HOUR_MS, false), 0);
    assert_string_equal(told, "a 33333333\na 44444444\n");
    assert_tree_is(below("repositories/a/_uploads"), "something-else/\n");
}

static void sessions_in_use_are_kept(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload;
    struct error err = {0};

    (void)state;
    assert_int_equal(store_upload_create(store, "a", DIGEST_SHA256, &upload, &err), 0);
    assert_int_equal(purge(store, 0, false), 0);
    assert_string_equal(told, "");
    upload_release(upload);
    assert_int_equal(purge(store, 0, false), 0);
    assert_tree_is(below("repositories/a/_uploads"), "");
}

static void leftovers_of_crashes_are_removed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    make_file(below("_temporary/old"), "");
    make_file(below("_temporary/new"), "");
    make_older(below("_temporary/old"), 2 * 60 * 60);
    assert_int_equal(purge(store, HOUR_MS, true), 0);
    assert_tree_is(below("_temporary"), "new\nold\n");
    assert_int_equal(purge(store, HOUR_MS, false), 0);
    assert_tree_is(below("_temporary"), "new\n");
}

static void a_huge_age_keeps_everything(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    make_session("a", OLD, 1);
    assert_int_equal(purge(store, UINT64_MAX, false), 0);
    assert_string_equal(told, "");
}

static void an_invalid_start_time_counts_as_unknown(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    char text[101];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    make_file(below("repositories/a/_uploads/" OLD "/startedat"), text);
    make_file(below("repositories/a/_uploads/" NEW "/startedat"), text);
    make_older(below("repositories/a/_uploads/" OLD "/startedat"), 2 * 60 * 60);
    make_older(below("repositories/a/_uploads/" OLD), 2 * 60 * 60);
    assert_int_equal(purge(store, HOUR_MS, false), 0);
    assert_string_equal(told, "a 11111111\n");
}

/* A session that cannot be removed does not prevent the removal of the others. */
static void a_failure_is_reported_at_the_end(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    time_t now = time(NULL);

    (void)state;
    make_directory(
        below("repositories/a/_uploads/" NEW "/startedat")); /* cannot be read as a file */
    make_session("b", OLD, now - 2 * 60 * 60);
    assert_int_equal(purge(store, HOUR_MS, false), -EISDIR);
    assert_string_equal(told, "b 11111111\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(old_sessions_are_removed),
        scratch_test(sessions_without_a_start_time_have_the_age_of_their_objects),
        scratch_test(sessions_in_use_are_kept),
        scratch_test(leftovers_of_crashes_are_removed),
        scratch_test(a_huge_age_keeps_everything),
        scratch_test(an_invalid_start_time_counts_as_unknown),
        scratch_test(a_failure_is_reported_at_the_end),
    };

    return cmocka_run_group_tests_name("store-purge", tests, NULL, NULL);
}
