#include "registry/core/name-search.h"

#include <string.h>

void name_search_init(struct name_search *search, const char *text)
{
    size_t size = strnlen(text, NAME_SEARCH_MAX);
    char *rest = NULL;

    memcpy(search->text, text, size);
    search->text[size] = '\0';
    search->count = 0;
    for (char *word = strtok_r(search->text, " \t", &rest);
         word && search->count < NAME_SEARCH_WORDS; word = strtok_r(NULL, " \t", &rest))
        search->words[search->count++] = (unsigned short)(word - search->text);
}

bool name_search_matches(const struct name_search *search, const char *name)
{
    for (size_t i = 0; i < search->count; i++)
        if (!strcasestr(name, search->text + search->words[i]))
            return false;
    return true;
}
