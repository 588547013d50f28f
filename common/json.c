/*
 * The only user of cJSON. Documents are validated before cJSON reads them, and cJSON allocates
 * secure memory, because its default allocator leaves two copies of the plaintext behind. Only the
 * registry's manifests, which hold no secrets and may be large, use ordinary memory. Each document
 * has one arena, which is freed as a whole; cJSON's own free function does nothing.
 */
#include "common/json.h"

#include <cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-guard.h"
#include "common/secure-arena.h"

/* Nodes are cJSON's. The document is the root node, and owns the memory of all. */
struct json {
    cJSON node;
    struct secure_arena *arena;
};

/* cJSON's allocator has no argument for the document. */
static _Thread_local struct secure_arena *arena_being_filled;
static _Thread_local bool is_filled_publicly;

static const cJSON *node_of(const struct json *node)
{
    return (const cJSON *)node;
}

static void *take_memory(size_t size)
{
    return is_filled_publicly ? secure_arena_take_public(&arena_being_filled, size)
                              : secure_arena_take(&arena_being_filled, size);
}

static void leave_memory(void *memory)
{
    (void)memory; /* freed with its arena */
}

/* The hooks are shared by all threads. */
static void set_up_once(void)
{
    cJSON_Hooks hooks = {.malloc_fn = take_memory, .free_fn = leave_memory};

    cJSON_InitHooks(&hooks);
}

/* Parses a validated value into a new arena. */
static int build_document(const struct secbuf *value, bool is_public, struct json **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct json *document;
    cJSON *root;

    pthread_once(&once, set_up_once);
    arena_being_filled = NULL;
    is_filled_publicly = is_public;
    root = cJSON_ParseWithLength((const char *)value->data, value->size);
    document = root ? take_memory(sizeof(*document)) : NULL;
    if (!document) { /* it is valid JSON, so memory is exhausted */
        secure_arena_free(arena_being_filled);
        return -ENOMEM;
    }
    *document = (struct json){.node = *root, .arena = arena_being_filled};
    *ret = document;
    return 0;
}

int json_parse(const void *text, size_t size, struct json **ret)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};
    int r = json_guard(text, size, &value);

    return r < 0 ? r : build_document(&value, false, ret);
}

/* The end of the token at `at`, which is not a bracket. */
static const unsigned char *skip_token(const unsigned char *at, const unsigned char *end)
{
    if (*at++ != '"') {
        while (at < end && !memchr(" \t\r\n\"[{]},:", *at, 11))
            at++;
        return at;
    }
    for (; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/*
 * Whether text, if it is valid JSON, is a single value with at most JSON_DEEPEST_PUBLIC levels and
 * JSON_MOST_PUBLIC parts. The guard looks only at the first value, and removes deeper levels; and
 * each part, which may be one byte, takes a node of 64 bytes. *ret_bare is the length of a number
 * or literal that stands alone, else 0. 0, -EBADMSG or -E2BIG.
 */
static int check_shape(const unsigned char *at, const unsigned char *end, size_t *ret_bare)
{
    size_t depth = 0, values = 0, parts = 0;

    *ret_bare = 0;
    while (at < end && depth <= JSON_DEEPEST_PUBLIC && values < 2 && parts <= JSON_MOST_PUBLIC) {
        bool is_opening = *at == '[' || *at == '{', is_closing = *at == ']' || *at == '}';
        bool is_space = memchr(" \t\r\n", *at, 4) != NULL, is_between = *at == ',' || *at == ':';
        const unsigned char *token = at;

        values += depth == 0 && !is_space;
        parts += !is_closing && !is_space && !is_between;
        depth += is_opening;
        depth -= is_closing && depth > 0;
        at = is_opening || is_closing || is_space || is_between ? at + 1 : skip_token(at, end);
        if (depth == 0 && !is_closing && !is_space && *token != '"')
            *ret_bare = (size_t)(at - token);
    }
    if (depth > JSON_DEEPEST_PUBLIC || values > 1)
        return -EBADMSG;
    return parts > JSON_MOST_PUBLIC ? -E2BIG : 0;
}

int json_parse_public(const void *text, size_t size, struct json **ret)
{
    /* The guard writes three bytes for one at most. It is given the room before: a secbuf grows in
     * secure memory, where a few manifests would fill all there is. */
    struct secbuf value = {.capacity = 3 * size + 8};
    CLEANUP_FREE unsigned char *room = NULL;
    size_t bare = 0;
    int r;

    if (size > SECBUF_MAX)
        return -ENOMEM;
    r = size ? check_shape(text, (const unsigned char *)text + size, &bare) : -EBADMSG;
    if (r < 0)
        return r;
    room = malloc(value.capacity);
    if (!room)
        return -ENOMEM;
    value.data = room;
    r = json_guard(text, size, &value);
    if (r == 0 && bare && bare != value.size) /* "nullnull": it took the first of two */
        r = -EBADMSG;
    return r < 0 ? r : build_document(&value, true, ret);
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

const struct json *json_find(const struct json *object, const char *name)
{
    const struct json *found = NULL;

    if (!object || json_get_type(object) != JSON_OBJECT)
        return NULL;
    for (const struct json *member = json_get_first(object); member; member = json_get_next(member))
        if (strcmp(json_get_name(member), name) == 0)
            found = member;
    return found;
}

/* Skips one letter that folds to `lower`. */
static bool skip_folded(const char **name, char lower)
{
    static const char long_s[] = "\xC5\xBF", kelvin[] = "\xE2\x84\xAA";
    const char *other = lower == 's' ? long_s : lower == 'k' ? kelvin : NULL;
    char c = **name;

    if (other && strncmp(*name, other, strlen(other)) == 0) {
        *name += strlen(other);
        return true;
    }
    if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != lower)
        return false;
    *name += 1;
    return true;
}

bool json_is_folded(const char *name, const char *folded)
{
    for (; *folded; folded++)
        if (!skip_folded(&name, *folded))
            return false;
    return *name == '\0';
}

const char *json_get_text(const struct json *string)
{
    const char *text =
        string && json_get_type(string) == JSON_STRING ? node_of(string)->valuestring : NULL;

    return text && !strstr(text, JSON_NUL_BYTES) ? text : NULL;
}

int json_get_integer(const struct json *number, int64_t *ret)
{
    const double largest = 9007199254740992.0; /* 2^53 */
    double value;

    if (!number || json_get_type(number) != JSON_NUMBER)
        return -EINVAL;
    value = node_of(number)->valuedouble;
    if (!(value >= -largest && value <= largest))
        return -ERANGE;
    if (value != (double)(int64_t)value)
        return -EINVAL;
    *ret = (int64_t)value;
    return 0;
}

int json_get_number(const struct json *number, double *ret)
{
    if (!number || json_get_type(number) != JSON_NUMBER)
        return -EINVAL;
    *ret = node_of(number)->valuedouble;
    return 0;
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
