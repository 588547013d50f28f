#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/cli/init/directory.h"

/* The first user of a new registry. All return 0 or negative. */

/* Checks that the name can be in an htpasswd file. */
int init_user_check(const char *user, struct error *err) MUST_USE;

/*
 * Reads the password from standard input, or asks for it twice on a terminal, or generates one if
 * there is no terminal.
 */
int init_user_get_password(bool is_from_input, struct secbuf *ret, bool *ret_is_generated,
                           struct error *err) MUST_USE;

/* Adds the password file. */
int init_user_add(struct init_directory *directory, const char *user, const struct secbuf *password,
                  struct error *err) MUST_USE;
