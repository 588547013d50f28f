#pragma once

#include "common/error.h"
#include "registry/config/yaml-tree.h"

/*
 * The largest input, in bytes; the largest result with all aliases resolved, in values and bytes of
 * text.
 */
enum {
    YAML_SIZE_MAX = 1 << 20,
    YAML_NODES_MAX = 10000,
    YAML_TEXT_MAX = 4 << 20,
    YAML_DEPTH_MAX = 32
};

/*
 * Parses one document; an empty one is a null. Aliases and merge keys ("<<") are resolved into
 * copies. source, the name of the file or variable, is borrowed as long as the tree lives. *ret is
 * owned by the caller, free with yaml_tree_free(). Returns negative if the text is
 * not valid YAML or too large, or has a duplicate key, an alias without an anchor before it, or a
 * tag other than str, bool, int, float, null, seq and map. err begins with "FILE:LINE: " or
 * "VARIABLE: " and quotes nothing of the text except a duplicate key. Any thread may call it.
 */
enum yaml_origin { YAML_FILE, YAML_VARIABLE }; /* a variable's value has no line numbers */
int yaml_parse(const char *source, enum yaml_origin origin, const void *text, size_t size,
               struct yaml_tree **ret, struct error *err);
