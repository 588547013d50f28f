/*
 * A growing list of lines. Warnings are collected in one while settings are loaded, because the
 * settings also configure the log.
 */
#include "registry/config/text-list.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int text_list_add(struct text_list *list, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    char **larger;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        text = NULL;
        return -ENOMEM;
    }
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    larger = reallocarray(list->items, list->count + 1, sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    list->items = larger;
    larger[list->count++] = steal_ptr(&text);
    return 0;
}

void text_list_done(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}
