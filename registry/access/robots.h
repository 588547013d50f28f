#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/error.h"
#include "common/secbuf.h"
#include "registry/access/rules.h"

/*
 * The robots file: principals for programs, with passwords that registryd makes. One robot a line:
 *
 *     ci sha256:<hex> created=2026-11-30T07:41:45Z expires=never allow=team-a/ **:pull,push   (without the blank)
 *
 * The digest is of the robot's name and password, see robot_digest(). Empty lines and lines that begin with '#' mean nothing.
 * A table never changes but for the times of use, so any thread may read it; references are counted.
 */
struct robots;

/* Users whose names begin with this are robots: "robot+ci". */
#define ROBOT_USER_PREFIX "robot+"

/* A password is this and 43 characters of base64url, which encode 32 random bytes. */
#define ROBOT_PASSWORD_PREFIX "registryd_robot_"
enum { ROBOT_PASSWORD_SIZE = 16 + 43, ROBOT_NAME_MAX = 64, ROBOTS_MAX = 10000, ROBOT_ALLOWS_MAX = 100 };

#define ROBOT_NEVER INT64_MAX

/* The value of --allow, "PATTERN:ACTIONS" as in "team-a/ **:pull,push" (without the blank). */
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
    int64_t used_s, noted_s; /* when it was used last (0: not since the file was read), and what was noted of it; atomic */
};

/*
 * Reads text, which is copied. 0 with *ret owned by the caller (robots_unref), or negative; then err begins with
 * "SOURCE line N: ".
 */
int robots_parse(const char *source, const char *text, size_t size, struct robots **ret, struct error *err) MUST_USE;
struct robots *robots_ref(struct robots *robots);
void robots_unref(struct robots *robots); /* takes NULL */
void robots_unrefp(struct robots **robots);
bool robots_are_of(const struct robots *robots, const char *text, size_t size);

/* All of them, by name. */
size_t robots_count(const struct robots *robots);
struct robot *robots_get(const struct robots *robots, size_t i);

/* The robot with that name ("ci"), or of that user ("robot+ci"); NULL if there is none. */
struct robot *robots_find(const struct robots *robots, const char *name);
struct robot *robots_find_user(const struct robots *robots, const char *user);

/* The rules that --allow gives to all robots; a rule's line N is what robots_find_allow(N) returns. Borrowed. */
const struct rules *robots_get_rules(const struct robots *robots);
const struct robot_allow *robots_find_allow(const struct robots *robots, uint32_t line);

/* Whether it is the name of a robot: a-z, 0-9, and inside of it also '.', '_' and '-'. */
bool robot_is_name(const char *name, size_t size);

/* NULL if it is "PATTERN:ACTIONS", otherwise what is wrong with it. */
const char *robot_find_fault(const char *allow, size_t size);

/*
 * SHA-256 of a label, the name and the password. Nobody can guess 256 random bits, so that it need not be slow. 0 or -ENOMEM.
 */
int robot_digest(const char *name, const struct secbuf *password, struct digest *ret) MUST_USE;

/* A new password. 0 or -ENOMEM. */
int robot_make_password(struct secbuf *ret) MUST_USE;

/* Times in the file: "2026-11-30T07:41:45Z". */
enum { ROBOT_TIME_SIZE = 24 };
void robot_format_time(int64_t time_s, char ret_text[ROBOT_TIME_SIZE]); /* "never" for ROBOT_NEVER */
int robot_parse_time(const char *text, size_t size, int64_t *ret_s);    /* 0 or -EINVAL */
