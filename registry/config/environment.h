#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "registry/config/text-list.h"
#include "registry/config/yaml-tree.h"

/*
 * Overrides settings by variables, as registry:2 does: REGISTRY_HTTP_TLS_KEY is http.tls.key, and
 * its value is YAML. Names are applied in sorted order, so that REGISTRY_HTTP_TLS changes what
 * REGISTRY_HTTP has set. A variable that is not a setting, or that Kubernetes sets for a service
 * (REGISTRY_PORT and the like), leads to a warning.
 *
 * root is a mapping and stays one. The names are added to sources. The tree's nodes borrow them:
 * keep sources as long as the tree. Returns 0, or negative if a value is not valid YAML, or if
 * REGISTRY_A_B is set and A is not a mapping. One thread at a time.
 */
int environment_apply(char *const *environment, struct yaml_tree *root, struct text_list *sources,
                      struct text_list *warnings, struct error *err);

/*
 * Whether a variable looks like a setting. Variables of Kubernetes and REGISTRY_CONFIGURATION_PATH
 * do not count.
 */
bool environment_has_settings(char *const *environment);
