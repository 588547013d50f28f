/* Words, lists of words and patterns in the lines of an access file. */
#include "registry/access/rules-parser.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/line-error.h"

int rules_fail(struct rules_parser *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line_error_set(p->err, p->source, p->line, format, args);
    va_end(args);
    return -EINVAL;
}

void *rules_reserve(void *items, size_t count, size_t *capacity, size_t item_size)
{
    size_t wanted = *capacity ? *capacity * 2 : 8;
    void *larger;

    if (count < *capacity)
        return items;
    larger = reallocarray(items, wanted, item_size);
    if (larger)
        *capacity = wanted;
    return larger;
}

/* --- words ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == ',';
}

static int read_quoted(struct rules_parser *p, const char **at, const char *end,
                       struct rules_word *ret)
{
    const char *close = memchr(*at + 1, '"', (size_t)(end - *at - 1));

    if (!close)
        return rules_fail(p, "a '\"' has no second one");
    *ret = (struct rules_word){*at + 1, (size_t)(close - *at - 1), true};
    *at = close + 1;
    if (*at < end && !ends_word(**at))
        return rules_fail(p, "something follows a closing '\"' without a blank");
    return 0;
}

static int read_plain(struct rules_parser *p, const char **at, const char *end,
                      struct rules_word *ret)
{
    const char *start = *at;

    while (*at < end && !ends_word(**at) && **at != '"')
        (*at)++;
    *ret = (struct rules_word){start, (size_t)(*at - start), false};
    return *at < end && **at == '"' ? rules_fail(p, "a '\"' stands inside of a word") : 0;
}

/* A comma is a word of its own. */
static int read_word(struct rules_parser *p, const char **at, const char *end,
                     struct rules_word *ret)
{
    if (**at == '"')
        return read_quoted(p, at, end, ret);
    if (**at != ',')
        return read_plain(p, at, end, ret);
    *ret = (struct rules_word){(*at)++, 1, false};
    return 0;
}

int rules_split_line(struct rules_parser *p, const char *at, const char *end)
{
    p->word_count = 0;
    while (at < end && *at != '#') {
        struct rules_word *words;
        int r;

        if (is_blank(*at)) {
            at++;
            continue;
        }
        words = rules_reserve(p->words, p->word_count, &p->word_capacity, sizeof(*words));
        if (!words)
            return error_set_oom(p->err);
        p->words = words;
        r = read_word(p, &at, end, &p->words[p->word_count]);
        if (r < 0)
            return r;
        p->word_count++;
    }
    return 0;
}

bool rules_is_word(const struct rules_word *word, const char *text)
{
    return !word->is_quoted && word->size == strlen(text) &&
           memcmp(word->text, text, word->size) == 0;
}

/* --- lists and patterns ------------------------------------------------------------------ */

size_t rules_find_list_end(const struct rules_parser *p, size_t first)
{
    size_t i = first + 1;

    while (i + 1 < p->word_count && rules_is_word(&p->words[i], ","))
        i += 2;
    return i < p->word_count ? i : p->word_count;
}

int rules_check_pattern(struct rules_parser *p, const struct rules_word *word)
{
    const char *fault = rules_is_word(word, ",")
                            ? "stands where a pattern should; patterns have blanks between them"
                        : word->is_quoted ? "is in quotes, which are for names of users"
                                          : pattern_find_fault(word->text, word->size);

    return fault ? rules_fail(p, "the pattern \"%.*s\" %s", (int)word->size, word->text, fault) : 0;
}

int rules_add_entry(struct rules_parser *p, struct rules_entries *entries,
                    const struct rules_word *pattern, uint32_t principal, unsigned actions)
{
    struct pattern_entry *items =
        rules_reserve(entries->items, entries->count, &entries->capacity, sizeof(*items));

    if (!items)
        return error_set_oom(p->err);
    entries->items = items;
    if (entries->count == RULES_MAX)
        return rules_fail(p, "more than %d pairs of a principal or tag and a pattern", RULES_MAX);
    items[entries->count++] = (struct pattern_entry){
        .pattern = pattern->text, .size = pattern->size, .grant = {principal, p->line, actions}};
    return 0;
}

int rules_add_patterns(struct rules_parser *p, struct rules_entries *entries, size_t at,
                       size_t number)
{
    int r = 0;

    for (; r == 0 && at < p->word_count; at++) {
        r = rules_check_pattern(p, &p->words[at]);
        if (r == 0)
            r = rules_add_entry(p, entries, &p->words[at], (uint32_t)number, 0);
    }
    return r;
}
