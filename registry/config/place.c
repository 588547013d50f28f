#include "registry/config/place.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Whether REGISTRY_HTTP_ADDR is the variable of http.addr. */
static bool is_variable_of(const char *name, const char *key)
{
    size_t prefix = strlen(VARIABLE_PREFIX);

    if (strncmp(name, VARIABLE_PREFIX, prefix) != 0)
        return false;
    for (name += prefix; *name && *key; name++, key++)
        if (*name != (*key == '.' ? '_' : toupper((unsigned char)*key)))
            return false;
    return !*name && !*key;
}

void place_format(const struct yaml_tree *node, const char *key, char ret_text[PLACE_SIZE])
{
    if (node->line)
        snprintf(ret_text, PLACE_SIZE, "%s:%u: %s", node->source, node->line, key);
    else if (is_variable_of(node->source, key))
        snprintf(ret_text, PLACE_SIZE, "%s", node->source);
    else
        snprintf(ret_text, PLACE_SIZE, "%s: %s", node->source, key);
}

int place_refuse(const struct yaml_tree *node, const char *key, struct error *err,
                 const char *format, ...)
{
    char place[PLACE_SIZE], text[PLACE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    place_format(node, key, place);
    return error_set(err, EINVAL, "%s: %s", place, text);
}
