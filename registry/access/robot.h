#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/macros.h"
#include "common/secbuf.h"

/* What one line of the robots file consists of: names, passwords, permissions and times. */

/* A password is this and 43 characters of base64url, which encode 32 random bytes. */
#define ROBOT_PASSWORD_PREFIX "registryd_robot_"
enum { ROBOT_PASSWORD_SIZE = 16 + 43, ROBOT_NAME_MAX = 64 };

#define ROBOT_NEVER INT64_MAX

/* Whether it is the name of a robot: a-z, 0-9, and inside of it also '.', '_' and '-'. */
bool robot_is_name(const char *name, size_t size);

/* Where the pattern in "PATTERN:ACTIONS" ends; patterns contain no ':'. */
size_t robot_pattern_size(const char *allow, size_t size);

/* NULL if it is "PATTERN:ACTIONS", otherwise what is wrong with it. */
const char *robot_find_fault(const char *allow, size_t size);

/*
 * SHA-256 of a label, the name and the password. Nobody can guess 256 random bits, so that it need
 * not be slow. 0 or -ENOMEM.
 */
int robot_digest(const char *name, const struct secbuf *password, struct digest *ret) MUST_USE;

/* A new password. 0 or -ENOMEM. */
int robot_make_password(struct secbuf *ret) MUST_USE;

/* Times in the file: "2026-11-30T07:41:45Z". */
enum { ROBOT_TIME_SIZE = 24 };
void robot_format_time(int64_t time_s,
                       char ret_text[ROBOT_TIME_SIZE]);              /* "never" for ROBOT_NEVER */
int robot_parse_time(const char *text, size_t size, int64_t *ret_s); /* 0 or -EINVAL */
