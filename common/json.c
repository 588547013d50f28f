/*
 * The fence around cJSON: documents are guarded before it sees them, and whatever it allocates
 * is secure memory, since with its default allocator two plaintext copies stay behind. A
 * document's memory is one arena, freed as a whole; cJSON's own freeing has nothing to do.
 */
#include "common/json.h"

#include <cJSON.h>
#include <errno.h>
#include <string.h>

#include "common/json-guard.h"
#include "common/secure-arena.h"

/* Nodes are cJSON's own, but for the document, which is its root and knows the memory of all. */
struct json {
    cJSON node;
    struct secure_arena *arena;
};

/* cJSON's allocator takes no argument that could say which document it works on. */
static _Thread_local struct secure_arena *arena_being_filled;

static const cJSON *node_of(const struct json *node)
{
    return (const cJSON *)node;
}

static void *take_memory(size_t size)
{
    return secure_arena_take(&arena_being_filled, size);
}

static void leave_memory(void *memory)
{
    (void)memory; /* it goes with its arena */
}

/* Parses into an arena of its own; *ret_arena is the caller's in any case. */
static cJSON *parse_value(const struct secbuf *value, struct secure_arena **ret_arena)
{
    cJSON_Hooks hooks = {.malloc_fn = take_memory, .free_fn = leave_memory};
    cJSON *root;

    cJSON_InitHooks(&hooks);
    arena_being_filled = NULL;
    root = cJSON_ParseWithLength((const char *)value->data, value->size);
    *ret_arena = arena_being_filled;
    return root;
}

int json_parse(const void *text, size_t size, struct json **ret)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};
    struct secure_arena *arena;
    struct json *document;
    cJSON *root;
    int r = json_guard(text, size, &value);

    if (r < 0)
        return r;
    root = parse_value(&value, &arena);
    document = root ? secure_arena_take(&arena, sizeof(*document)) : NULL;
    if (!document) { /* the guard has seen that it is JSON */
        secure_arena_free(arena);
        return -ENOMEM;
    }
    *document = (struct json){.node = *root, .arena = arena};
    *ret = document;
    return 0;
}

void json_free(struct json *document)
{
    if (document)
        secure_arena_free(document->arena);
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
