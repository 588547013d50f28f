#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/* The most that a .gpg-id file may hold, in bytes. */
#define GPG_ID_MAX ((size_t)1 << 20)

/*
 * Reads a .gpg-id file as pass does: an id a line, blanks at both ends dropped, "#" starts a
 * comment anywhere. Unlike pass, it also accepts what editors on Windows write: a carriage return
 * at the end of a line, a byte order mark (UTF-8), and a last line without a newline.
 *
 * *ret_ids: the ids, each followed by a newline; "" where there are none; owned by the caller,
 * free with free(). 0, -EINVAL for a NUL in the text, or -ENOMEM.
 */
int gpg_id_parse(const char *text, size_t size, char **ret_ids) MUST_USE;

/* Whether the text begins with a byte order mark in UTF-8. */
bool gpg_id_has_mark(const char *text, size_t size);

/* The same for PASSWORD_STORE_KEY: ids between blanks. 0 or -ENOMEM. */
int gpg_id_parse_words(const char *text, char **ret_ids) MUST_USE;
