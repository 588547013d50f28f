#pragma once

#include "registry/core/store.h"

/*
 * The names of the tags of a repository on a remote storage, where a look at each tag would be a
 * request. Lists that were read whole stay in memory, TAG_NAMES_BYTES of them.
 *
 * Every server that adds or removes a tag writes a new id to the repository's tag mark before it
 * acknowledges the change. A list in memory is used only if the mark is still the one from before
 * the list was read, so the list has every acknowledged change. Programs that write no mark, such as
 * registry:2, are noticed after TAG_NAMES_AGE_S.
 */
struct tag_names;

enum { TAG_NAMES_BYTES = 32 << 20, TAG_NAMES_AGE_S = 300 };

struct tag_names *tag_names_new(void); /* NULL: out of memory */
void tag_names_free(struct tag_names *names); /* accepts NULL */

/*
 * Like store_list_tags(), but the list of a repository that is not there is empty. STORE_NOT_FOUND:
 * the list is not in memory, and a page of n tags is too small to read all of them.
 */
int tag_names_list(struct store *store, const char *name, const char *last, size_t n,
                   struct store_names *ret, struct error *err) MUST_USE;

/*
 * Writes a new mark. Call it after a change and before the change is acknowledged. Does nothing
 * unless the storage is remote.
 */
int tag_names_mark(struct store *store, const char *name, struct error *err) MUST_USE;
