/*
 * A text that grows by doubling its capacity.
 */
#include "registry/api/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-quote.h"

static bool reserve(struct text *text, size_t more)
{
    size_t needed = text->size + more + 1, capacity = text->capacity ? text->capacity : 256;
    char *data;

    if (text->has_failed || needed <= text->capacity)
        return !text->has_failed;
    while (capacity < needed)
        capacity *= 2;
    data = realloc(text->data, capacity);
    text->has_failed = !data;
    if (!data)
        return false;
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const void *data, size_t size)
{
    if (!reserve(text, size))
        return;
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/*
 * Whether the bytes need no escaping in JSON, which is true for all names of repositories and tags.
 */
static bool is_plain(const char *string, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = string[i];

        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&')
            return false;
    }
    return true;
}

static void add_plain(struct text *text, const char *string, size_t size)
{
    text_add(text, "\"", 1);
    text_add(text, string, size);
    text_add(text, "\"", 1);
}

void text_add_quoted(struct text *text, const char *string)
{
    size_t size = strlen(string), quoted;

    if (is_plain(string, size)) {
        add_plain(text, string, size);
        return;
    }
    quoted = json_quote(string, size, NULL);
    if (!reserve(text, quoted))
        return;
    json_quote(string, size, text->data + text->size);
    text->size += quoted;
    text->data[text->size] = '\0';
}

char *text_steal(struct text *text, size_t *ret_size)
{
    char *data = text->has_failed ? NULL : steal_ptr(&text->data);

    *ret_size = data ? text->size : 0;
    text_done(text);
    return data;
}

void text_done(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}
