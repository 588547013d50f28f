/*
 * The names of principals in an access file: groups, users and robots. Each gets a number when the
 * file first names it.
 */
#include "registry/access/rules-parser.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *left, const void *right)
{
    const struct rules_name *a = left, *b = right;

    return a->is_group != b->is_group ? (a->is_group ? -1 : 1) : strcmp(a->text, b->text);
}

void rules_name_free(void *node)
{
    struct rules_name *name = node;

    free(name->text);
    free(name->groups);
    free(name);
}

static struct rules_name *new_name(struct rules_parser *p, const char *text, size_t size,
                                   bool is_group)
{
    struct rules_name **all = rules_reserve(p->all, p->all_count, &p->all_capacity, sizeof(*all));
    struct rules_name *name = all ? calloc(1, sizeof(*name)) : NULL;

    if (all)
        p->all = all;
    if (!name)
        return NULL;
    *name = (struct rules_name){.text = strndup(text, size), .is_group = is_group, .line = p->line};
    if (name->text)
        return name;
    free(name);
    return NULL;
}

/* Finds the entry of a name, or creates it. */
static int find_name(struct rules_parser *p, const char *text, size_t size, bool is_group,
                     struct rules_name **ret)
{
    struct rules_name *name = new_name(p, text, size, is_group);
    struct rules_name **found = name ? tsearch(name, &p->names, compare_names) : NULL;

    if (name && (!found || *found != name))
        rules_name_free(name);
    if (!found)
        return error_set_oom(p->err);
    if (*found == name) {
        name->id = (uint32_t)(RULES_ID_FIRST + p->all_count);
        p->all[p->all_count++] = name;
        p->member_count += is_group ? 0 : 1;
    }
    *ret = *found;
    return 0;
}

int rules_find_group(struct rules_parser *p, const char *text, size_t size,
                     struct rules_name **ret)
{
    return find_name(p, text, size, true, ret);
}

int rules_check_name(struct rules_parser *p, const struct rules_word *word)
{
    if (word->size == 0)
        return rules_fail(p, "an empty name");
    if (rules_is_word(word, ","))
        return rules_fail(p, "a ',' without a name before it");
    if (memchr(word->text, '\0', word->size) || memchr(word->text, ':', word->size))
        return rules_fail(p, "a name with a ':' or a NUL, which are invalid in user names");
    return 0;
}

int rules_find_member(struct rules_parser *p, const struct rules_word *word,
                      struct rules_name **ret)
{
    int r = rules_check_name(p, word);

    if (r < 0)
        return r;
    if (rules_is_word(word, "@"))
        return rules_fail(p, "a '@' without the name of a group");
    if (!word->is_quoted && word->text[0] == '@')
        return rules_fail(p, "\"%.*s\" is a group; only users and robots can be members",
                          (int)word->size, word->text);
    if (rules_is_word(word, "anyone") || rules_is_word(word, "users"))
        return rules_fail(p,
                          "\"%.*s\" means more than one user; a user of that name stands in quotes",
                          (int)word->size, word->text);
    return find_name(p, word->text, word->size, false, ret);
}

int rules_find_principal(struct rules_parser *p, const struct rules_word *word, uint32_t *ret)
{
    struct rules_name *name = NULL;
    int r = 0;

    if (rules_is_word(word, "anyone") || rules_is_word(word, "users")) {
        *ret = rules_is_word(word, "users") ? RULES_ID_USERS : RULES_ID_ANYONE;
        return 0;
    }
    if (word->size > 1 && !word->is_quoted && word->text[0] == '@')
        r = rules_find_group(p, word->text + 1, word->size - 1, &name);
    else
        r = rules_find_member(p, word, &name);
    if (name)
        *ret = name->id;
    return r;
}
