#pragma once

#include <stdbool.h>

#include "registry/config/yaml-tree.h"

/*
 * Whether registryd does anyway what a setting of registry:2 asks for, although it does not support the setting: for example
 * validation.manifests.urls.allow with a pattern that matches every web address, because all URLs are accepted. path is
 * the setting's, such as "http.tls.key". Pure: from any thread.
 */
bool satisfied_is(const char *path, const struct yaml_tree *value);
