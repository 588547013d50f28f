#pragma once

#include "common/json.h"
#include "registry/spec/manifest.h"

/*
 * What manifest.c shares with manifest-descriptor.c: members of manifests, read strictly. Each
 * failure is -EINVAL (or -ENOMEM) with err saying which member is wrong.
 */

/* A member; NULL where it is absent or null, which Go's decoder does not tell apart. */
const struct json *manifest_find(const struct json *object, const char *name);

/*
 * Go's decoder, and with it docker, containerd and registry:2, ignores the case of names, takes U+017F for s and U+212A for
 * k, and takes the last of several members. Refuses members that it would read differently from us: names
 * that differ from a known one only in case, and duplicates of a known one. known ends with NULL.
 */
int manifest_check_names(const struct json *object, const char *where, const char *const *known,
                         struct error *err) MUST_USE;

/*
 * The text of a member, borrowed; NULL where it is absent, null or empty. `where` is what the object
 * is called ("layers[0]"), "" for the manifest itself.
 */
int manifest_get_text(const struct json *object, const char *where, const char *name, const char **ret,
                      struct error *err) MUST_USE;

/* A descriptor's digest; the rest of it is not looked at. */
int manifest_get_digest(const struct json *descriptor, const char *where, struct digest *ret,
                        struct error *err) MUST_USE;

/* Makes room for count more. 0 or -ENOMEM; once, in an empty list. */
int manifest_reserve(struct manifest_descriptors *list, size_t count, struct error *err) MUST_USE;

/* Adds the descriptor, or each of the array's (NULL is an empty one), for which room was made. */
int manifest_add(struct manifest_descriptors *list, const struct json *descriptor, const char *where,
                 struct error *err) MUST_USE;
int manifest_add_each(struct manifest_descriptors *list, const struct json *array, const char *name,
                      struct error *err) MUST_USE;

void manifest_descriptors_done(struct manifest_descriptors *list);
