#include "registry/storage/storage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool storage_version_is_same(const struct storage_version *a, const struct storage_version *b)
{
    return memcmp(a->words, b->words, sizeof(a->words)) == 0;
}

int storage_list_add(struct storage_list *list, const char *name, size_t size, bool is_prefix)
{
    struct storage_entry *entry, **grown;

    if ((list->count & (list->count - 1)) == 0) { /* full at each power of two */
        grown = reallocarray(list->entries, list->count ? list->count * 2 : 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        list->entries = grown;
    }
    entry = malloc(sizeof(*entry) + size + 1);
    if (!entry)
        return -ENOMEM;
    entry->is_prefix = is_prefix;
    memcpy(entry->name, name, size);
    entry->name[size] = '\0';
    list->entries[list->count++] = entry;
    return 0;
}

void storage_list_done(struct storage_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i]);
    free(list->entries);
    *list = (struct storage_list){0};
}
