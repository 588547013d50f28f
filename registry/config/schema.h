#pragma once

#include "common/error.h"
#include "registry/config/text-list.h"
#include "registry/config/yaml-tree.h"

/*
 * All known settings and how they are treated: those of registry:2 (the Configuration of
 * distribution 2.8, and the keys that its storage and auth packages read), some of 3.0, and our
 * own. Pure: from any thread.
 */
enum schema_kind {
    SCHEMA_UNKNOWN,
    SCHEMA_GROUP, /* a mapping of settings that are listed */
    SCHEMA_NAMED, /* a group that may also be a single word, which means {WORD: }: storage, auth */
    SCHEMA_VALUE,
    SCHEMA_OPEN, /* what is below it is not checked against the table */
};

/* The kind of the setting at a dotted path such as "http.tls.key". */
enum schema_kind schema_find(const char *path);

/* Whether the value of a key must never be printed, because it is a secret or a password. */
bool schema_is_secret(const char *path);

/*
 * Turns `storage: filesystem` into `storage: {filesystem: }`, and `auth: none` in the same way. 0
 * or -ENOMEM.
 */
int schema_expand(struct yaml_tree *root) MUST_USE;

/*
 * Checks every key. Unknown and ignored settings become warnings. Refuses a mapping in place of a
 * value, a value in place of a mapping, and settings that would be dangerous to ignore. Returns 0
 * or negative.
 */
int schema_check(const struct yaml_tree *tree, struct text_list *warnings, struct error *err);
