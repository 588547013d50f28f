#pragma once

#include <stdbool.h>

#include "registry/config/yaml-tree.h"

/*
 * Whether registryd does what a setting of registry:2 asks for, although it does not support the
 * setting. Example: all URLs in manifests are accepted, as validation.manifests.urls.allow with a
 * pattern for every URL asks. path names the setting, such as "http.tls.key". Pure: from any
 * thread.
 */
bool satisfied_is(const char *path, const struct yaml_tree *value);
