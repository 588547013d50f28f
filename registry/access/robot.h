#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/macros.h"
#include "common/rfc3339.h"
#include "common/secbuf.h"

/* The parts of a line of the robots file: names, passwords, permissions and times. */

/* A password is this and 43 characters of base64url, which encode 32 random bytes. */
#define ROBOT_PASSWORD_PREFIX "registryd_robot_"
enum { ROBOT_PASSWORD_SIZE = 16 + 43, ROBOT_NAME_MAX = 64 };

#define ROBOT_NEVER INT64_MAX

/* Whether the text is a valid robot name: a-z, 0-9, and between them also '.', '_' and '-'. */
bool robot_is_name(const char *name, size_t size);

/* Where the pattern in "PATTERN:ACTIONS" ends; patterns contain no ':'. */
size_t robot_pattern_size(const char *allow, size_t size);

/* Returns NULL if the text is "PATTERN:ACTIONS", otherwise the mistake. */
const char *robot_find_fault(const char *allow, size_t size);

/*
 * Computes the SHA-256 of a label, the name and the password. A slow hash is unnecessary, because
 * nobody can guess 256 random bits. 0 or -ENOMEM.
 */
int robot_digest(const char *name, const struct secbuf *password, struct digest *ret) MUST_USE;

/* Makes a new password. 0 or -ENOMEM. */
int robot_make_password(struct secbuf *ret) MUST_USE;

/* Times are written as in common/rfc3339.h; "never" is ROBOT_NEVER. */
void robot_format_time(int64_t time_s, char ret_text[RFC3339_SIZE]);
int robot_parse_time(const char *text, size_t size, int64_t *ret_s); /* 0 or -EINVAL */
