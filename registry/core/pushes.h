#pragma once

#include "registry/core/store.h"

/*
 * Records who pushed a tag, to show it to people: an object in the repository, beside the records
 * of pulls. Best effort: it is written after the tag without a sync, and is removed with the tag.
 * The record names the digest, so that the record of another push counts for nothing. Any thread
 * may call these functions.
 */
enum { PUSH_ACTOR_MAX = 255 };

/* Waits for the disk, but not for a sync. */
int store_note_push(struct store *store, const char *name, const char *tag,
                    const struct digest *digest, const char *actor, struct error *err) MUST_USE;

/*
 * Who pushed the tag with that digest. STORE_NOT_FOUND: not recorded, or another digest is. The
 * name is text of any kind.
 */
int store_find_push(struct store *store, const char *name, const char *tag,
                    const struct digest *digest, char ret_actor[PUSH_ACTOR_MAX + 1],
                    struct error *err) MUST_USE;
