#pragma once

#include "common/error.h"
#include "registry/config/text-list.h"
#include "registry/config/yaml-tree.h"

/*
 * Overrides settings by variables, as registry:2 does: REGISTRY_HTTP_TLS_KEY is http.tls.key, its value is YAML,
 * and the names are sorted before they are applied, so that a deeper one changes what a shorter one has set. A
 * name that is no setting becomes a warning (Kubernetes sets REGISTRY_PORT and the like for a service of that name).
 *
 * root is a mapping and stays one. sources takes the names, which the tree's nodes borrow: keep it as long as the
 * tree. 0, or negative: a value is no YAML, or REGISTRY_A_B where A is set and no mapping. One thread at a time.
 */
int environment_apply(char *const *environment, struct yaml_tree *root, struct text_list *sources,
                      struct text_list *warnings, struct error *err);
