/* Retention on a storage in memory, whose clock the test sets. */
#include "registry/core/retention.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/core/collect.h"
#include "registry/core/pulls.h"
#include "tests/unit/registry-core/support.h"
#include "tests/unit/registry-storage/memory-storage.h"

enum { HOUR = 60 * 60, DAY = 24 * HOUR };

static struct storage *storage;

/* What the options' functions use. */
struct world {
    struct store *store;
    struct retention_policy policy;
    bool has_policy;
    const char
        *push_before_removal; /* a tag that is pushed again after the first removal; NULL: none */
    int pace_result;
    char told[1000]; /* the tags that were removed, each with a space */
};

static bool find_policy(void *object, const char *name, struct retention_policy *ret)
{
    const struct world *world = object;

    (void)name;
    *ret = world->policy;
    return world->has_policy;
}

static bool is_protected(void *object, const char *name, const char *tag)
{
    (void)object;
    (void)name;
    return strncmp(tag, "keep", 4) == 0;
}

static void tell(void *object, const char *name, const char *tag, const char *reason)
{
    struct world *world = object;

    (void)name;
    (void)reason;
    snprintf(world->told + strlen(world->told), sizeof(world->told) - strlen(world->told), "%s ",
             tag ? tag : "!");
}

static int pace(void *object, struct error *err)
{
    struct world *world = object;
    const char *tag = *world->told ? world->push_before_removal : NULL;

    if (tag)
        push_image(world->store, "a", tag, tag, NULL);
    if (tag)
        world->push_before_removal = NULL;
    return world->pace_result < 0 ? error_set(err, -world->pace_result, "stopped") : 0;
}

static void start(struct world *world)
{
    struct error err = {0};

    *world = (struct world){.has_policy = true};
    storage = memory_storage_new();
    assert_int_equal(store_open(storage, &world->store, &err), 0);
}

static int run(struct world *world, bool is_dry_run, struct error *err)
{
    const struct retention_options options = {.is_dry_run = is_dry_run,
                                              .find_policy = find_policy,
                                              .is_protected = is_protected,
                                              .tell = tell,
                                              .pace = pace,
                                              .object = world};
    struct retention_result result;

    *world->told = '\0';
    return store_retain(world->store, &options, &result, err);
}

/* Returns the tags that a run has removed. */
static const char *retain(struct world *world)
{
    struct error err = {0};

    assert_int_equal(run(world, false, &err), 0);
    return world->told;
}

/* Pushes tags, a day apart; the last one is a day old afterwards. */
static void push_daily(const struct world *world, const char *const *tags)
{
    for (; *tags; tags++) {
        push_image(world->store, "a", *tags, *tags, NULL);
        memory_storage_pass_time(storage, DAY);
    }
}

static void record_pulls(const struct world *world, const char *tag, const struct digest *digest)
{
    struct pull_log *log = pull_log_new();
    struct error err;

    if (tag || digest)
        pull_log_add(log, "a", tag, digest);
    assert_int_equal(pull_log_flush(log, world->store, &err), 0);
    pull_log_free(log);
}

/* Passes days during which pulls are recorded. */
static void pass_days(const struct world *world, int days)
{
    for (int i = 0; i < days; i++) {
        record_pulls(world, NULL, NULL);
        memory_storage_pass_time(storage, DAY);
    }
    record_pulls(world, NULL, NULL);
}

static void the_newest_tags_stay(void **state)
{
    struct world world;

    (void)state;
    start(&world);
    push_daily(&world, (const char *[]){"keep-1", "b", "c", "keep-2", "a", NULL});
    world.policy.newest = 2;
    world.has_policy = false;
    assert_string_equal(retain(&world), "");
    world.has_policy = true;
    assert_string_equal(retain(&world), "b ");
    assert_string_equal(tags_of(world.store, "a", NULL, SIZE_MAX), "a c keep-1 keep-2 ");
    push_daily(&world, (const char *[]){"c", "d", NULL}); /* pushed again, c is newer than a */
    assert_string_equal(retain(&world), "a ");
    assert_string_equal(retain(&world), "");
    store_close(world.store);
}

/* As after a copy of the registry into a bucket. */
static void tags_of_the_same_moment_stay_together(void **state)
{
    struct world world;

    (void)state;
    start(&world);
    push_image(world.store, "a", "first", "first", NULL);
    memory_storage_pass_time(storage, DAY);
    for (int i = 0; i < 3; i++)
        push_image(world.store, "a", (const char *[]){"x", "y", "z"}[i], "same", NULL);
    world.policy.newest = 2;
    assert_string_equal(retain(&world), "first ");
    assert_string_equal(tags_of(world.store, "a", NULL, SIZE_MAX), "x y z ");
    store_close(world.store);
}

static void recently_pushed_tags_stay(void **state)
{
    struct world world;

    (void)state;
    start(&world);
    push_daily(&world, (const char *[]){"a", "b", "c", NULL});
    world.policy.pushed_s = 3 * DAY;
    assert_string_equal(retain(&world), "a ");
    world.policy.newest = 2;
    memory_storage_pass_time(storage, 100 * DAY);
    assert_string_equal(retain(&world), "");
    world.policy.newest = 1;
    assert_string_equal(retain(&world), "b ");
    store_close(world.store);
}

static void recently_pulled_tags_stay(void **state)
{
    struct world world;
    struct digest digest;

    (void)state;
    start(&world);
    push_daily(&world, (const char *[]){"a", "b", "c", NULL});
    digest = tag_of(world.store, "a", "b");
    world.policy.pulled_s = 10 * DAY;
    pass_days(&world, 8);
    record_pulls(&world, "a", NULL);
    record_pulls(&world, NULL, &digest); /* docker asks for the tag, then for the digest */
    pass_days(&world, 6);
    assert_string_equal(retain(&world), "c ");
    pass_days(&world, 5);
    assert_string_equal(retain(&world), "b a ");
    store_close(world.store);
}

static void a_tag_stays_while_its_pulls_are_not_known(void **state)
{
    struct world world;

    (void)state;
    start(&world);
    push_daily(&world, (const char *[]){"a", NULL});
    world.policy.pulled_s = 10 * DAY;
    memory_storage_pass_time(storage, 100 * DAY);
    assert_string_equal(retain(&world), ""); /* never recorded */
    pass_days(&world, 9);
    assert_string_equal(retain(&world), ""); /* for 9 days */
    memory_storage_pass_time(storage, 5 * DAY);
    assert_string_equal(retain(&world), ""); /* a gap: perhaps another program served */
    pass_days(&world, 9);
    assert_string_equal(retain(&world), "");
    pass_days(&world, 2);
    assert_string_equal(retain(&world), "a ");
    store_close(world.store);
}

static void a_tag_that_is_pushed_during_the_run_stays(void **state)
{
    struct world world;

    (void)state;
    start(&world);
    push_daily(&world, (const char *[]){"a", "b", NULL});
    world.policy.pushed_s = HOUR;
    world.push_before_removal = "a";
    assert_string_equal(retain(&world), "b ");
    assert_string_equal(tags_of(world.store, "a", NULL, SIZE_MAX), "a ");
    store_close(world.store);
}

static void an_outdated_version_deletes_nothing(void **state)
{
    struct store_tag_state seen;
    struct world world;
    struct error err;

    (void)state;
    start(&world);
    push_image(world.store, "a", "x", "1", NULL);
    assert_int_equal(store_stat_tag(world.store, "a", "x", &seen, &err), 0);
    push_image(world.store, "a", "x", "1", NULL); /* the same manifest */
    assert_int_equal(store_delete_tag_if(world.store, "a", "x", &seen.version, NULL, &err),
                     STORE_BUSY);
    assert_int_equal(store_stat_tag(world.store, "a", "x", &seen, &err), 0);
    assert_int_equal(store_delete_tag_if(world.store, "a", "x", &seen.version, NULL, &err), 0);
    assert_int_equal(store_delete_tag_if(world.store, "a", "x", &seen.version, NULL, &err),
                     STORE_NOT_FOUND);
    assert_int_equal(store_stat_tag(world.store, "a", "x", &seen, &err), STORE_NOT_FOUND);
    store_close(world.store);
}

static void a_damaged_tag_stays_and_a_dry_run_removes_nothing(void **state)
{
    struct world world;
    struct error err;

    (void)state;
    start(&world);
    push_daily(&world, (const char *[]){"a", "b", NULL});
    memory_storage_set(storage, "repositories/a/_manifests/tags/a/current/link", "nonsense", 8);
    memory_storage_pass_time(storage, DAY);
    world.policy.pushed_s = HOUR;
    assert_int_equal(run(&world, true, &err), 0);
    assert_string_equal(world.told, "! b ");
    assert_string_equal(tags_of(world.store, "a", NULL, SIZE_MAX), "a b ");
    assert_string_equal(retain(&world), "! b ");
    assert_string_equal(tags_of(world.store, "a", NULL, SIZE_MAX), "a ");
    store_close(world.store);
}

static void a_run_can_be_stopped(void **state)
{
    struct world world;
    struct error err;

    (void)state;
    start(&world);
    push_daily(&world, (const char *[]){"a", NULL});
    world.policy.pushed_s = HOUR;
    world.pace_result = -ECANCELED;
    assert_int_equal(run(&world, false, &err), -ECANCELED);
    assert_string_equal(tags_of(world.store, "a", NULL, SIZE_MAX), "a ");
    store_close(world.store);
}

/* --- untagged manifests ------------------------------------------------------------------ */

static uint64_t untagged_for(void *object, const char *name)
{
    (void)object;
    return strcmp(name, "a") == 0 ? 7 * DAY : 0;
}

static size_t collect(const struct world *world)
{
    const struct collect_options options = {.untagged_for = untagged_for, .grace_s = HOUR};
    struct collect_result result = {0};
    struct error err = {0};

    if (store_collect(world->store, &options, &result, &err) != 0)
        fail_msg("%s", err.text);
    return result.manifests;
}

static void untagged_manifests_are_removed_after_their_time(void **state)
{
    struct world world;
    struct digest child, index, old, about;

    (void)state;
    start(&world);
    child = push_image(world.store, "a", NULL, "child", NULL);
    index = push_manifest(world.store, "a", "index", INDEX_TYPE, index_of(child, NULL));
    old = push_image(world.store, "a", "latest", "old", NULL);
    about = push_image(world.store, "a", NULL, "about", &index);
    push_image(world.store, "b", NULL, "other", NULL);
    memory_storage_pass_time(storage, 100 * DAY);
    push_image(world.store, "a", "latest", "new", NULL); /* so that `old` has no tag since now */
    assert_int_equal(collect(&world), 0);
    memory_storage_pass_time(storage, 6 * DAY);
    assert_int_equal(collect(&world), 0);
    assert_true(has_manifest(world.store, "a", old));
    memory_storage_pass_time(storage, DAY);
    assert_int_equal(collect(&world), 1);
    assert_false(has_manifest(world.store, "a", old));
    assert_true(has_manifest(world.store, "a", child));
    assert_true(has_manifest(world.store, "a", about));
    assert_true(has_manifest(world.store, "a", index));
    store_close(world.store);
}

static void the_time_without_a_tag_starts_again(void **state)
{
    struct world world;
    struct digest image;
    struct error err;

    (void)state;
    start(&world);
    image = push_image(world.store, "a", NULL, "image", NULL);
    memory_storage_pass_time(storage, 100 * DAY);
    assert_int_equal(collect(&world), 0);
    memory_storage_pass_time(storage, 6 * DAY);
    assert_int_equal(store_put_tag(world.store, "a", "t", &image, &err), 0);
    assert_int_equal(collect(&world), 0);
    assert_int_equal(store_delete_tag(world.store, "a", "t", NULL, &err), 0);
    memory_storage_pass_time(storage, 6 * DAY);
    assert_int_equal(collect(&world), 0);
    memory_storage_set(storage, "repositories/a/_registryd/untagged", "damaged",
                       7); /* a lost record */
    memory_storage_pass_time(storage, 6 * DAY);
    assert_int_equal(collect(&world), 0);
    assert_true(has_manifest(world.store, "a", image));
    memory_storage_pass_time(storage, 8 * DAY);
    assert_int_equal(collect(&world), 1);
    store_close(world.store);
}

/* --- the record of pulls ----------------------------------------------------------------- */

static void pulls_are_written_once_an_hour(void **state)
{
    struct pull_log *log = pull_log_new();
    struct world world;
    struct error err;
    struct digest digest;
    int64_t first_s = 0, later_s = 0;

    (void)state;
    start(&world);
    digest = push_image(world.store, "a", "t", "1", NULL);
    pull_log_add(log, "a", "t", NULL);
    assert_int_equal(pull_log_flush(log, world.store, &err), 0);
    assert_int_equal(store_find_pull(world.store, "a", "t", &digest, &first_s, &err), 0);
    assert_int_equal(first_s, storage_now(storage));
    memory_storage_pass_time(storage, HOUR / 2);
    pull_log_add(log, "a", "t", NULL);
    assert_int_equal(pull_log_flush(log, world.store, &err), 0);
    assert_int_equal(store_find_pull(world.store, "a", "t", &digest, &later_s, &err), 0);
    assert_int_equal(later_s, first_s);
    memory_storage_pass_time(storage, HOUR / 2);
    assert_int_equal(pull_log_flush(log, world.store, &err), 0);
    assert_int_equal(store_find_pull(world.store, "a", "t", &digest, &later_s, &err), 0);
    assert_int_equal(later_s, storage_now(storage));
    pull_log_free(log);
    /* The record goes with the tag, a day later. */
    assert_int_equal(store_delete_tag(world.store, "a", "t", NULL, &err), 0);
    assert_int_equal(store_forget_pulls(world.store, "a", &err), 0);
    assert_int_equal(store_find_pull(world.store, "a", "t", &digest, &later_s, &err), 0);
    assert_true(later_s > 0);
    memory_storage_pass_time(storage, 2 * DAY);
    assert_int_equal(store_forget_pulls(world.store, "a", &err), 0);
    assert_int_equal(store_find_pull(world.store, "a", "t", &digest, &later_s, &err), 0);
    assert_int_equal(later_s, 0);
    store_close(world.store);
}

static void too_many_pulls_restart_the_recording(void **state)
{
    struct pull_log *log = pull_log_new();
    struct world world;
    struct error err;
    int64_t since_s = 0;
    char tag[20];

    (void)state;
    start(&world);
    assert_int_equal(store_find_recording(world.store, &since_s, &err), STORE_NOT_FOUND);
    pass_days(&world, 2);
    assert_int_equal(store_find_recording(world.store, &since_s, &err), 0);
    assert_int_equal(since_s, storage_now(storage) - 2 * DAY);
    for (int i = 0; i < PULL_LOG_MAX + 1; i++) {
        snprintf(tag, sizeof(tag), "t%d", i);
        pull_log_add(log, "a", tag, NULL);
    }
    assert_int_equal(pull_log_flush(log, world.store, &err), 0);
    assert_int_equal(store_find_recording(world.store, &since_s, &err), 0);
    assert_int_equal(since_s, storage_now(storage));
    pull_log_free(log);
    store_close(world.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_tags_stay),
        cmocka_unit_test(tags_of_the_same_moment_stay_together),
        cmocka_unit_test(recently_pushed_tags_stay),
        cmocka_unit_test(recently_pulled_tags_stay),
        cmocka_unit_test(a_tag_stays_while_its_pulls_are_not_known),
        cmocka_unit_test(a_tag_that_is_pushed_during_the_run_stays),
        cmocka_unit_test(an_outdated_version_deletes_nothing),
        cmocka_unit_test(a_damaged_tag_stays_and_a_dry_run_removes_nothing),
        cmocka_unit_test(a_run_can_be_stopped),
        cmocka_unit_test(untagged_manifests_are_removed_after_their_time),
        cmocka_unit_test(the_time_without_a_tag_starts_again),
        cmocka_unit_test(pulls_are_written_once_an_hour),
        cmocka_unit_test(too_many_pulls_restart_the_recording),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
