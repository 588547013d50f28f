#pragma once

#include "common/error.h"
#include "registry/access/rules.h"

/*
 * The access file: rules (registry/access/rules.h) that are read again when the file changes. If
 * the file has a mistake, the previous rules stay in force. Any thread may call these functions.
 */
struct access_file;

/*
 * warn is called with one line of text for the operator, by the thread that reads the file, one at
 * a time; it may be NULL. 0 with *ret owned by the caller (access_file_close), or negative: the
 * file is missing or has a mistake, whose line err names.
 */
int access_file_open(const char *path, void (*warn)(void *context, const char *text), void *context,
                     struct access_file **ret, struct error *err) MUST_USE;
void access_file_close(struct access_file *file); /* after the last other call; accepts NULL */

/* Whether the file is unchanged since it was read. Event threads may call it. */
bool access_file_is_current(struct access_file *file);

/* Reads the file if it has changed. Waits for the disk. */
void access_file_refresh(struct access_file *file);

/* Reads the file now, for SIGHUP. 0, or negative: the rules are as before. */
int access_file_reload(struct access_file *file, struct error *err) MUST_USE;

/*
 * The rules in force, for the caller to rules_unref(). Their oidc lines are ready to verify tokens.
 */
struct rules *access_file_get_rules(struct access_file *file);
