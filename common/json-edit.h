#pragma once

#include "common/secbuf.h"

/*
 * Changes to a JSON text that leave every other byte as it is: the user's spacing, order, unknown members and
 * doubles. The text is in secure memory, because it may hold passwords. Pure.
 *
 * path: names of members from the root object down, ended by NULL. A name is compared as decoded ("\u0061" is
 * "a", and what is no UTF-8 is U+FFFD), byte for byte; of several members of one name the last counts, as in Go's decoder.
 *
 * 0, -EBADMSG where the text is no JSON object (text is taken by the rules of json_parse_public(), and an empty
 * or blank one for "{}"), -ENOTDIR where something on the way is no object, or -ENOMEM; text is then unchanged.
 */

/* Whether the others would take text: 0, -EBADMSG or -ENOMEM. */
int json_edit_check(const struct secbuf *text) MUST_USE;

/* Makes the member `value` (JSON as it is to stand there), and the objects on the way where they are missing, indented like its neighbours. */
int json_edit_set(struct secbuf *text, const char *const *path, const char *value) MUST_USE;

/*
 * Removes all members of that name, in every object that the path leads to, with the comma and white space that belong
 * to them. A missing member is not a failure.
 */
int json_edit_remove(struct secbuf *text, const char *const *path) MUST_USE;
