#include "registry/access/pattern.h"

#include <string.h>

enum { DEEP_MAX = 2 }; /* each "**" multiplies the number of ways to match */

bool pattern_is_deep(struct pattern_component component)
{
    return component.size == 2 && memcmp(component.text, "**", 2) == 0;
}

static const char *find_bad_character(struct pattern_component component)
{
    for (size_t i = 0; i < component.size; i++) {
        char c = component.text[i];

        if (c >= 'A' && c <= 'Z')
            return "has an upper-case letter, which is invalid in repository names";
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !memchr("._-*", c, 4))
            return "has a character that is invalid in repository names";
        if (c == '*' && i > 0 && component.text[i - 1] == '*' && !pattern_is_deep(component))
            return "has \"**\" next to other characters; it must be a whole component";
    }
    return NULL;
}

bool pattern_next_component(const char **at, const char *end, struct pattern_component *ret)
{
    const char *slash;

    if (!*at)
        return false;
    slash = memchr(*at, '/', (size_t)(end - *at));
    *ret = (struct pattern_component){*at, (size_t)((slash ? slash : end) - *at)};
    *at = slash ? slash + 1 : NULL;
    return true;
}

const char *pattern_find_fault(const char *text, size_t size)
{
    const char *at = text, *end = text + size, *fault;
    struct pattern_component component;
    bool was_deep = false;
    size_t deep_count = 0;

    if (size > PATTERN_SIZE_MAX)
        return "is longer than 255 characters, the limit of repository names";
    while (pattern_next_component(&at, end, &component)) {
        if (component.size == 0)
            return "begins or ends with a slash or has two in a row";
        fault = find_bad_character(component);
        if (fault)
            return fault;
        if (pattern_is_deep(component) && was_deep)
            return "has \"**\" twice in a row; one has the same meaning";
        was_deep = pattern_is_deep(component);
        deep_count += was_deep ? 1 : 0;
    }
    return deep_count > DEEP_MAX ? "has more than two \"**\"" : NULL;
}

bool pattern_matches_component(const char *glob, const char *text, size_t size)
{
    const char *end = text + size;
    const char *retry_glob = NULL, *retry_text = NULL;

    while (text < end) {
        if (*glob == '*') {
            retry_glob = ++glob;
            retry_text = text;
        } else if (*glob == *text) {
            glob++;
            text++;
        } else if (retry_glob) {
            glob = retry_glob;
            text = ++retry_text;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}
