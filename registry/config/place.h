#pragma once

#include "common/error.h"
#include "registry/config/text-list.h"
#include "registry/config/yaml-tree.h"

/*
 * The place of a setting, for messages: "config.yml:12: http.addr", "REGISTRY_HTTP_ADDR", or
 * "REGISTRY_HTTP: http.addr" if the variable holds a mapping. key is the dotted path. Pure: from
 * any thread.
 */
enum { PLACE_SIZE = 1024 };
void place_format(const struct yaml_tree *node, const char *key, char ret_text[PLACE_SIZE]);

/* Fills err with "<place>: <text>"; returns -EINVAL. */
int place_refuse(const struct yaml_tree *node, const char *key, struct error *err,
                 const char *format, ...) PRINTF_LIKE(4, 5);

/* The beginning of every variable's name. */
#define VARIABLE_PREFIX "REGISTRY_"
