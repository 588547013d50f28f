/*
 * Formats nodes as text, for the parts of a manifest that the registry returns. cJSON's printer
 * escapes differently from Go, and does not know JSON_NUL_BYTES.
 */
#include "common/json.h"

#include <cJSON.h>
#include <stdio.h>
#include <string.h>

#include "common/json-guard.h"
#include "common/json-quote.h"

struct formatted {
    char *at; /* NULL: only count */
    size_t size;
};

static void put(struct formatted *out, const void *bytes, size_t size)
{
    if (out->at) {
        memcpy(out->at, bytes, size);
        out->at += size;
    }
    out->size += size;
}

static void put_string(struct formatted *out, const char *text)
{
    put(out, text, strlen(text));
}

/*
 * Writes the text between two quotes. json_quote() writes the quotes too: the first overwrites the
 * last byte before it, which is restored, and the second is overwritten by what follows.
 */
static void put_escaped(struct formatted *out, const char *text, size_t size)
{
    size_t escaped;

    if (out->at) {
        char before = out->at[-1];

        escaped = json_quote(text, size, out->at - 1) - 2;
        out->at[-1] = before;
        out->at += escaped;
    } else {
        escaped = json_quote(text, size, NULL) - 2;
    }
    out->size += escaped;
}

static void put_quoted(struct formatted *out, const char *text)
{
    const char *nul;

    put(out, "\"", 1);
    while ((nul = strstr(text, JSON_NUL_BYTES))) {
        put_escaped(out, text, (size_t)(nul - text));
        put_string(out, "\\u0000");
        text = nul + strlen(JSON_NUL_BYTES);
    }
    put_escaped(out, text, strlen(text));
    put(out, "\"", 1);
}

static void put_number(struct formatted *out, const struct json *number)
{
    double value = ((const cJSON *)number)->valuedouble;
    char text[32];

    if (value - value != 0) /* out of range for a double, which JSON cannot express */
        snprintf(text, sizeof(text), "null");
    else
        snprintf(text, sizeof(text), "%.17g", value);
    put_string(out, text);
}

static void put_scalar(struct formatted *out, const struct json *node)
{
    const cJSON *raw = (const cJSON *)node;

    switch (json_get_type(node)) {
    case JSON_STRING:
        put_quoted(out, raw->valuestring);
        break;
    case JSON_NUMBER:
        put_number(out, node);
        break;
    case JSON_BOOL:
        put_string(out, raw->type & cJSON_True ? "true" : "false");
        break;
    default:
        put_string(out, "null");
    }
}

/* Recursive. The guard has limited the depth of documents. */
static void put_node(struct formatted *out, const struct json *node)
{
    bool is_object = json_get_type(node) == JSON_OBJECT;

    if (!is_object && json_get_type(node) != JSON_ARRAY) {
        put_scalar(out, node);
        return;
    }
    put(out, is_object ? "{" : "[", 1);
    for (const struct json *child = json_get_first(node); child; child = json_get_next(child)) {
        if (child != json_get_first(node))
            put(out, ",", 1);
        if (is_object) {
            put_quoted(out, json_get_name(child));
            put(out, ":", 1);
        }
        put_node(out, child);
    }
    put(out, is_object ? "}" : "]", 1);
}

size_t json_format(const struct json *node, char *ret_text)
{
    struct formatted out = {.at = ret_text};

    put_node(&out, node);
    return out.size;
}
