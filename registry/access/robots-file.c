#include "registry/access/robots-file.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/same-bytes.h"
#include "registry/access/watched-table.h"

static int parse_robots(struct watched_table *watched, struct file_content *content, void **ret,
                        struct error *err)
{
    const char *path = watched_table_path(watched);
    struct robots *robots;
    int r = robots_parse(path, content->text ? content->text : "", content->size, &robots, err);

    if (r < 0)
        return r;
    watched_table_warn_if_open(watched, content);
    *ret = robots;
    return 0;
}

static bool is_of(const void *table, const char *text, size_t size)
{
    return robots_are_of(table, text, size);
}

static void *ref_robots(void *table)
{
    return robots_ref(table);
}

static void unref_robots(void *table)
{
    robots_unref(table);
}

static const struct watched_table_type robots_type = {
    .parse = parse_robots,
    .is_of = is_of,
    .ref = ref_robots,
    .unref = unref_robots,
    .may_be_missing = true,
    .stays = "the previous robots stay in force",
};

int robots_file_open(const char *path, void (*warn)(void *context, const char *text), void *context,
                     struct watched_table **ret, struct error *err)
{
    const struct watched_table_options options = {
        .path = path, .type = &robots_type, .warn = warn, .context = context};

    return watched_table_open(&options, ret, err);
}

struct robots *robots_file_get_robots(struct watched_table *file)
{
    return watched_table_get(file);
}

/* Does the same work for a missing robot, so that the time does not reveal whether it exists. */
enum robots_verdict robots_file_check(struct watched_table *file, const char *user,
                                      const struct secbuf *password)
{
    static const struct digest nobody = {.algorithm = DIGEST_SHA256, .hex = "?"};
    CLEANUP(robots_unrefp) struct robots *robots = robots_file_get_robots(file);
    struct robot *robot = robots_find_user(robots, user);
    const struct digest *expected = robot ? &robot->digest : &nobody;
    int64_t now_s = time(NULL);
    struct digest found;

    if (robot_digest(robot ? robot->name : "", password, &found) < 0)
        return ROBOTS_NO_MEMORY;
    if (!same_bytes(found.hex, expected->hex, digest_hex_size(DIGEST_SHA256)) || !robot)
        return ROBOTS_DENIED;
    if (now_s >= robot->expires_s)
        return ROBOTS_EXPIRED;
    __atomic_store_n(&robot->used_s, now_s, __ATOMIC_RELAXED);
    return ROBOTS_GRANTED;
}

void robots_file_note_uses(struct watched_table *file, int64_t interval_s,
                           void (*note)(void *object, const char *name, int64_t used_s),
                           void *object)
{
    CLEANUP(robots_unrefp) struct robots *robots = robots_file_get_robots(file);

    for (size_t i = 0; i < robots_count(robots); i++) {
        struct robot *robot = robots_get(robots, i);
        int64_t used_s = __atomic_load_n(&robot->used_s, __ATOMIC_RELAXED);

        if (used_s == 0 || used_s < robot->noted_s + interval_s)
            continue;
        robot->noted_s = used_s;
        note(object, robot->name, used_s);
    }
}
