/*
 * Converts the nodes of the tree to typed values. An error names the place, the value (unless it is
 * a secret) and what is allowed.
 */
#include "registry/config/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "registry/config/duration.h"
#include "registry/config/place.h"
#include "registry/config/schema.h"
#include "registry/config/shown.h"

struct yaml_tree *reader_find(const struct reader *reader, const char *path)
{
    struct yaml_tree *tree = reader->tree;

    while (tree) {
        size_t size = strcspn(path, ".");
        char name[100];

        snprintf(name, sizeof(name), "%.*s", (int)size, path);
        tree = yaml_tree_find(tree, name);
        if (!path[size])
            break;
        path += size + 1;
    }
    return yaml_tree_is_null(tree) ? NULL : tree;
}

int reader_refuse(const struct reader *reader, const char *path, const char *format, ...)
{
    char text[PLACE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return place_refuse(reader_find(reader, path), path, reader->err, "%s", text);
}

int reader_warn(const struct reader *reader, const char *format, ...)
{
    char text[PLACE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return text_list_add(reader->warnings, "%s", text) < 0 ? error_set_oom(reader->err) : 0;
}

void reader_show(const char *path, const struct yaml_tree *node, char ret_text[READER_SHOWN_SIZE])
{
    *ret_text = '\0';
    if (node->kind == YAML_SCALAR && !schema_is_secret(path)) {
        char shown[SHOWN_SIZE];

        shown_format(node->text, node->size, shown);
        snprintf(ret_text, READER_SHOWN_SIZE, "%s is ", shown);
    } else if (node->kind != YAML_SCALAR) {
        snprintf(ret_text, READER_SHOWN_SIZE, "a list or mapping is ");
    }
}

static int refuse_value(const struct reader *reader, const char *path, const struct yaml_tree *node,
                        const char *wanted)
{
    char shown[READER_SHOWN_SIZE];

    reader_show(path, node, shown);
    return place_refuse(node, path, reader->err, "%s%s", *shown ? shown : "this value is ", wanted);
}

static bool is_quoted_bool(const struct yaml_tree *node)
{
    struct yaml_tree plain = *node;
    bool value;

    plain.is_plain = true;
    return !node->is_plain && yaml_tree_get_bool(&plain, &value) == 0;
}

int reader_get_bool(const struct reader *reader, const char *path, bool *value)
{
    const struct yaml_tree *node = reader_find(reader, path);

    if (!node || yaml_tree_get_bool(node, value) == 0)
        return 0;
    return refuse_value(reader, path, node,
                        is_quoted_bool(node) ? "text, because it is in quotes: remove the quotes"
                                             : "not true or false (or yes, no, on, off)");
}

int reader_get_unsigned(const struct reader *reader, const char *path, unsigned min, unsigned max,
                        unsigned *value)
{
    const struct yaml_tree *node = reader_find(reader, path);
    char wanted[100];
    int64_t integer;

    if (!node)
        return 0;
    if (yaml_tree_get_integer(node, &integer) < 0 || integer < min || integer > max) {
        snprintf(wanted, sizeof(wanted), "not a whole number from %u to %u", min, max);
        return refuse_value(reader, path, node, wanted);
    }
    *value = (unsigned)integer;
    return 0;
}

int reader_get_duration(const struct reader *reader, const char *path, uint64_t *value)
{
    const struct yaml_tree *node = reader_find(reader, path);

    if (!node)
        return 0;
    if (node->kind != YAML_SCALAR || strlen(node->text) != node->size ||
        duration_parse(node->text, value) < 0)
        return refuse_value(reader, path, node, "not a duration such as 168h, 1m30s, 500ms or 0");
    return 0;
}

static bool is_printable(const struct yaml_tree *node)
{
    for (size_t i = 0; i < node->size; i++)
        if ((unsigned char)node->text[i] < 0x20 || node->text[i] == 0x7f)
            return false;
    return true;
}

int reader_get_text(const struct reader *reader, const char *path, const char **value)
{
    const struct yaml_tree *node = reader_find(reader, path);

    if (!node || (node->kind == YAML_SCALAR && node->size == 0))
        return 0;
    if (node->kind != YAML_SCALAR || !is_printable(node))
        return refuse_value(reader, path, node, "not one line of plain text");
    *value = node->text;
    return 0;
}

int reader_get_choice(const struct reader *reader, const char *path, const char *const *words,
                      unsigned *value)
{
    const struct yaml_tree *node = reader_find(reader, path);
    char wanted[200] = "not one of";

    if (!node || (node->kind == YAML_SCALAR && node->size == 0))
        return 0;
    for (unsigned i = 0; words[i]; i++) {
        size_t used = strlen(wanted);

        if (node->kind == YAML_SCALAR && strcasecmp(node->text, words[i]) == 0) {
            *value = i;
            return 0;
        }
        snprintf(wanted + used, sizeof(wanted) - used, "%s%s", i ? ", " : " ", words[i]);
    }
    return refuse_value(reader, path, node, wanted);
}
