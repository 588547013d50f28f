#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/*
 * Finds an option by which gpg or gpg-agent writes session keys or decrypted data into a log, or
 * into files in the working directory. text is that of gpg.conf or gpg-agent.conf, with a NUL at
 * its end. Returns the option's line as a new string, without blanks around it and cut off after
 * 100 bytes; NULL if there is none, or if memory is exhausted. Pure.
 */
char *gpg_debug_find(const char *text);

/*
 * Refuses to run gpg on a secret if its configuration has such an option: its own in home, or the
 * system's. 0; or negative with the file and the line in err (GPG_FAILURE_CONFIGURATION).
 */
int gpg_debug_check(const char *home, struct error *err) MUST_USE;
