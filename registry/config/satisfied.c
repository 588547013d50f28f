#include "registry/config/satisfied.h"

#include <stdio.h>
#include <string.h>

#include "common/macros.h"

static bool is_word(const struct yaml_tree *value, const char *word)
{
    return value->kind == YAML_SCALAR && strcmp(value->text, word) == 0 &&
           strlen(word) == value->size;
}

/* Whether a value, or an item of a list, is the word. */
static bool has_word(const struct yaml_tree *value, const char *word)
{
    if (value->kind != YAML_SEQUENCE)
        return is_word(value, word);
    for (size_t i = 0; i < value->count; i++)
        if (is_word(value->members[i].value, word))
            return true;
    return false;
}

/* registryd caches what it has read in memory. */
static bool is_memory(const struct yaml_tree *value)
{
    return is_word(value, "inmemory");
}

/* The usual ways to write a regular expression for all web addresses, or for everything. */
static bool is_every_url(const struct yaml_tree *value)
{
    static const char *const beginnings[] = {
        "",
        "h",
        "http",
        "https?",
        "https?:",
        "https?:/",
        "https?://",
        "(https?)://",
        "(http|https)://",
        "(https|http)://",
        "(?:https?)://",
        "http(s)?://",
        "http(|s)://",
    };
    static const char *const ends[] = {"", ".*", ".+", ".*$", ".+$"};

    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
        for (size_t j = 0; j < ARRAY_SIZE(ends) * 2; j++) {
            char pattern[64];

            snprintf(pattern, sizeof(pattern), "%s%s%s", j % 2 ? "^" : "", beginnings[i],
                     ends[j / 2]);
            if (*pattern && has_word(value, pattern))
                return true;
        }
    return false;
}

/* An index is accepted only with the manifests of all its platforms. */
static bool is_every_platform(const struct yaml_tree *value)
{
    return is_word(value, "all");
}

/* There are no other classes. */
static bool is_every_class(const struct yaml_tree *value)
{
    return has_word(value, "image") && has_word(value, "plugin");
}

bool satisfied_is(const char *path, const struct yaml_tree *value)
{
    static const struct {
        const char *path;
        bool (*is_satisfied)(const struct yaml_tree *value);
    } rows[] = {
        {"storage.cache.blobdescriptor", is_memory},
        {"storage.cache.layerinfo", is_memory},
        {"validation.manifests.urls.allow", is_every_url},
        {"validation.manifests.indexes.platforms", is_every_platform},
        {"policy.repository.classes", is_every_class},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strcmp(path, rows[i].path) == 0)
            return rows[i].is_satisfied(value);
    return false;
}
