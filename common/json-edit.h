#pragma once

#include "common/secbuf.h"

/*
 * Edits a JSON text and keeps every other byte: the user's spacing, order, unknown members and
 * duplicates. The text is in secure memory, because it may hold passwords. Pure.
 *
 * path: the names of members from the root object down, ended by NULL. Names are compared byte for
 * byte after decoding ("\u0061" is "a", and invalid UTF-8 is U+FFFD). Of several members with one
 * name the last one counts, as in Go's decoder.
 *
 * 0; -EBADMSG if the text is not a JSON object (by the rules of json_parse_public(), but an empty
 * or blank text counts as "{}"); -ENOTDIR if a value on the path is not an object; or -ENOMEM. On
 * failure text is unchanged.
 */

/* Whether the functions below accept text: 0, -EBADMSG or -ENOMEM. */
int json_edit_check(const struct secbuf *text) MUST_USE;

/*
 * Sets the member to `value` (JSON, inserted as it is), and creates missing objects on the path.
 * Indents like the neighbours.
 */
int json_edit_set(struct secbuf *text, const char *const *path, const char *value) MUST_USE;

/*
 * Removes all members with that name from every object that the path leads to, with their commas
 * and white space. A missing member is not a failure.
 */
int json_edit_remove(struct secbuf *text, const char *const *path) MUST_USE;
