/*
 * The fence around cJSON: documents are guarded before it sees them, and whatever it allocates
 * is secure memory, since with its default allocator two plaintext copies stay behind.
 */
#include "common/json.h"

#include <cJSON.h>
#include <errno.h>
#include <string.h>

#include "common/json-guard.h"

static const cJSON *node_of(const struct json *node)
{
    return (const cJSON *)node;
}

static void hook_memory(void)
{
    cJSON_Hooks hooks = {.malloc_fn = secure_malloc, .free_fn = secure_free};

    cJSON_InitHooks(&hooks);
}

int json_parse(const void *text, size_t size, struct json **ret)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};
    cJSON *document;
    int r = json_guard(text, size, &value);

    if (r < 0)
        return r;
    hook_memory();
    document = cJSON_ParseWithLength((const char *)value.data, value.size);
    if (!document)
        return -EBADMSG;
    *ret = (struct json *)document;
    return 0;
}

void json_free(struct json *document)
{
    cJSON_Delete((cJSON *)document);
}

enum json_type json_get_type(const struct json *node)
{
    switch (node_of(node)->type & 0xFF) {
    case cJSON_Object:
        return JSON_OBJECT;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_String:
        return JSON_STRING;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_True:
    case cJSON_False:
        return JSON_BOOL;
    default:
        return JSON_NULL;
    }
}

const struct json *json_get_first(const struct json *node)
{
    return (const struct json *)node_of(node)->child;
}

const struct json *json_get_next(const struct json *node)
{
    return (const struct json *)node_of(node)->next;
}

const char *json_get_name(const struct json *member)
{
    return node_of(member)->string;
}

int json_copy_string(const struct json *node, struct secbuf *ret_text)
{
    const char *at = node_of(node)->valuestring, *nul;
    int r = 0;

    while (r == 0 && (nul = strstr(at, JSON_NUL_BYTES))) {
        r = secbuf_append(ret_text, at, (size_t)(nul - at));
        if (r == 0)
            r = secbuf_append(ret_text, "", 1);
        at = nul + strlen(JSON_NUL_BYTES);
    }
    return r < 0 ? r : secbuf_append(ret_text, at, strlen(at));
}
