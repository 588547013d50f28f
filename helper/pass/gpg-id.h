#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/* The maximum size of a .gpg-id file, in bytes. */
#define GPG_ID_MAX ((size_t)1 << 20)

/*
 * Parses a .gpg-id file as pass does: one id in each line, without the blanks at both ends; "#"
 * starts a comment anywhere. Unlike pass, it also accepts what editors on Windows write: a carriage
 * return at the end of a line, a byte order mark (UTF-8), and a last line without a newline.
 *
 * ret_ids: the ids, each followed by a newline; "" if there are none; owned by the caller, free
 * with free(). 0, -EINVAL for a NUL in the text, or -ENOMEM.
 */
int gpg_id_parse(const char *text, size_t size, char **ret_ids) MUST_USE;

/* Whether the text begins with a byte order mark in UTF-8. */
bool gpg_id_has_mark(const char *text, size_t size);

/* The same for PASSWORD_STORE_KEY: ids between blanks. 0 or -ENOMEM. */
int gpg_id_parse_words(const char *text, char **ret_ids) MUST_USE;
