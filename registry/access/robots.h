#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "registry/access/robot.h"
#include "registry/access/rules.h"

/*
 * Parses the robots file: logins for programs, with passwords that registryd generates. Each line
 * is a robot:
 *
 *     ci sha256:<hex> created=2026-11-30T07:41:45Z expires=never allow=a/ **:pull,push
 *
 * (without the space after "a/")
 *
 * The digest is of the robot's name and password, see robot_digest(). Empty lines and lines that
 * begin with '#' are ignored. A table never changes except for the times of use, which are atomic,
 * so any thread may use it; references are counted.
 */
struct robots;

/* Users whose names begin with this are robots: "robot+ci". */
#define ROBOT_USER_PREFIX "robot+"

enum { ROBOTS_MAX = 10000, ROBOT_ALLOWS_MAX = 100 };

/* The value of --allow, "PATTERN:ACTIONS". */
struct robot_allow {
    const char *text;
    size_t size;
};

struct robot {
    const char *name; /* "ci" */
    struct digest digest;
    int64_t created_s, expires_s; /* since 1970; ROBOT_NEVER */
    struct robot_allow *allows;
    size_t allow_count;
    size_t line_start; /* in the text */
    size_t line_size;  /* with its newline */
    /*
     * when it was last used (0: not since the file was read), and the last use that was recorded;
     * atomic
     */
    int64_t used_s, noted_s;
};

/*
 * Reads text, which is copied. 0 with *ret owned by the caller (robots_unref), or negative; then
 * err begins with "SOURCE line N: ".
 */
int robots_parse(const char *source, const char *text, size_t size, struct robots **ret,
                 struct error *err) MUST_USE;
struct robots *robots_ref(struct robots *robots);
void robots_unref(struct robots *robots); /* takes NULL */
void robots_unrefp(struct robots **robots);
bool robots_are_of(const struct robots *robots, const char *text, size_t size);

/* All robots, sorted by name. */
size_t robots_count(const struct robots *robots);
struct robot *robots_get(const struct robots *robots, size_t i);

/* The robot with this name ("ci"), or of this user ("robot+ci"); NULL if there is none. */
struct robot *robots_find(const struct robots *robots, const char *name);
struct robot *robots_find_user(const struct robots *robots, const char *user);

/*
 * The rules from --allow for all robots. For line N of them, robots_find_allow(N) returns the value
 * of --allow. Borrowed.
 */
const struct rules *robots_get_rules(const struct robots *robots);
const struct robot_allow *robots_find_allow(const struct robots *robots, uint32_t line);
