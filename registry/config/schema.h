#pragma once

#include "common/error.h"
#include "registry/config/text-list.h"
#include "registry/config/yaml-tree.h"

/*
 * Which settings there are: those of registry:2 (distribution 2.8's Configuration and the keys that its storage and
 * auth read out of their maps), some of 3.0, and what becomes of each here. Pure: from any thread.
 */
enum schema_kind {
    SCHEMA_UNKNOWN,
    SCHEMA_GROUP, /* a mapping of settings that are listed */
    SCHEMA_NAMED, /* likewise, and a lone word stands for a mapping with that key: storage, auth */
    SCHEMA_VALUE,
    SCHEMA_OPEN,  /* anything may be below */
};

/* What there is at a dotted path such as "http.tls.key". */
enum schema_kind schema_find(const char *path);

/* Whether the value of such a key is never to be shown: secret, password, ... */
bool schema_is_secret(const char *path);

/* Turns `storage: filesystem` into `storage: {filesystem: }`, and `auth: none` likewise. 0 or -ENOMEM. */
int schema_expand(struct yaml_tree *root) MUST_USE;

/*
 * Goes through all that was set. Unknown keys and what will not be done become warnings; a mapping where there must be
 * none (or none where there must be one), and what would be dangerous to leave out, are refused. 0 or negative.
 */
int schema_check(const struct yaml_tree *tree, struct text_list *warnings, struct error *err);
