#pragma once

#include "common/json.h"
#include "registry/spec/manifest.h"

/*
 * Strict parsing of members of manifests, for manifest.c and manifest-descriptor.c. Each failure is
 * -EINVAL or -ENOMEM; err says which member is wrong.
 */

/* Finds a member. NULL if it is missing or null, which Go's decoder does not distinguish. */
const struct json *manifest_find(const struct json *object, const char *name);

/*
 * Go's decoder, and with it docker, containerd and registry:2, ignores the case of names, takes
 * U+017F for s and U+212A for k, and takes the last of several members. Refuses members that it
 * would read differently from us: names that differ from a known one only in case, and duplicates
 * of a known one. known ends with NULL.
 */
int manifest_check_names(const struct json *object, const char *where, const char *const *known,
                         struct error *err) MUST_USE;

/*
 * Gets the text of a member, borrowed; NULL if it is missing, null or empty. `where` names the
 * object ("layers[0]"); "" is the manifest itself.
 */
int manifest_get_text(const struct json *object, const char *where, const char *name,
                      const char **ret, struct error *err) MUST_USE;

/* Gets a descriptor's digest; the rest is not checked. */
int manifest_get_digest(const struct json *descriptor, const char *where, struct digest *ret,
                        struct error *err) MUST_USE;

/* Makes room for count descriptors in an empty list. Call it once. 0 or -ENOMEM. */
int manifest_reserve(struct manifest_descriptors *list, size_t count, struct error *err) MUST_USE;

/*
 * Adds the descriptor, or each descriptor of the array (NULL: an empty array). manifest_reserve()
 * made room.
 */
int manifest_add(struct manifest_descriptors *list, const struct json *descriptor,
                 const char *where, struct error *err) MUST_USE;
int manifest_add_each(struct manifest_descriptors *list, const struct json *array, const char *name,
                      struct error *err) MUST_USE;

void manifest_descriptors_done(struct manifest_descriptors *list);
