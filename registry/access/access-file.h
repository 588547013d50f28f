#pragma once

#include "registry/access/rules.h"
#include "registry/access/watched-table.h"

/*
 * The access file: a watched table of struct rules. If a changed file has a mistake, the previous
 * rules stay in force.
 */

/*
 * warn and context are those of struct watched_table_options. 0 with *ret owned by the caller
 * (watched_table_close), or negative: the file is missing, or err names the line of a mistake.
 */
int access_file_open(const char *path, void (*warn)(void *context, const char *text), void *context,
                     struct watched_table **ret, struct error *err) MUST_USE;

/* The rules in force; free with rules_unref(). Their oidc lines are ready to verify tokens. */
struct rules *access_file_get_rules(struct watched_table *file);
