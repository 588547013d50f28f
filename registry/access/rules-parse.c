/*
 * Parses the text of an access file into a table. All lines are first read into lists, because a
 * rule may name a group that a later line defines. Then the lists are converted to the table.
 */
#include "registry/access/rules-parser.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* --- statements ------------------------------------------------------------------------- */

static int join_group(struct rules_parser *p, struct rules_name *member, uint32_t group)
{
    uint32_t *groups;

    for (size_t i = 0; i < member->group_count; i++)
        if (member->groups[i] == group)
            return 0;
    groups = rules_reserve(member->groups, member->group_count, &member->group_capacity,
                           sizeof(*groups));
    if (!groups)
        return error_set_oom(p->err);
    member->groups = groups;
    member->groups[member->group_count++] = group;
    return 0;
}

/* group NAME MEMBER... */
static int parse_group(struct rules_parser *p)
{
    struct rules_name *group = NULL, *member = NULL;
    int r;

    if (p->word_count < 2)
        return rules_fail(p, "\"group\" without a name; the form is: group NAME MEMBER...");
    r = rules_check_name(p, &p->words[1]);
    if (r == 0 && !p->words[1].is_quoted && p->words[1].text[0] == '@')
        r = rules_fail(p, "a group is defined without '@', which is for its use: group %.*s ...",
                       (int)p->words[1].size - 1, p->words[1].text + 1);
    if (r == 0)
        r = rules_find_group(p, p->words[1].text, p->words[1].size, &group);
    if (r < 0 || !group)
        return r;
    group->is_defined = true;
    for (size_t i = 2; r == 0 && i < p->word_count; i++) {
        if (rules_is_word(&p->words[i], ","))
            continue;
        r = rules_find_member(p, &p->words[i], &member);
        if (r == 0 && member)
            r = join_group(p, member, group->id);
    }
    return r;
}

static int parse_actions(struct rules_parser *p, size_t first, size_t end, unsigned *ret)
{
    *ret = 0;
    for (size_t i = first; i < end; i += 2) {
        const struct rules_word *word = &p->words[i];
        unsigned bits = word->is_quoted ? 0 : rules_action_parse(word->text, word->size);

        if (!bits)
            return rules_fail(
                p, "there is no action \"%.*s\"; actions are pull, push, push-new, delete, all and "
                "health",
                (int)word->size, word->text);
        *ret |= bits;
    }
    return 0;
}

/* allow WHO[,WHO...] ACTION[,ACTION...] PATTERN... */
static int parse_allow(struct rules_parser *p)
{
    size_t who_end = rules_find_list_end(p, 1), action_end = rules_find_list_end(p, who_end);
    unsigned actions;
    int r;

    if (action_end >= p->word_count)
        return rules_fail(p, "the line is incomplete; its form is: allow WHO ACTIONS PATTERN...");
    r = parse_actions(p, who_end, action_end, &actions);
    if (r == 0 && actions & RULES_HEALTH &&
        (action_end + 1 != p->word_count || !rules_is_word(&p->words[action_end], "**")))
        return rules_fail(p, "health is that of the whole registry: a line is: allow WHO health **");
    for (size_t at = action_end; r == 0 && at < p->word_count; at++) {
        r = rules_check_pattern(p, &p->words[at]);
        for (size_t who = 1; r == 0 && who < who_end; who += 2) {
            uint32_t principal = UINT32_MAX; /* of a client without a login */

            r = rules_find_principal(p, &p->words[who], &principal);
            if (r == 0)
                r = rules_add_entry(p, &p->allowed, &p->words[at], principal, actions);
        }
    }
    return r;
}

static bool is_tag_pattern(const struct rules_word *word)
{
    for (size_t i = 0; i < word->size; i++) {
        char c = word->text[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !memchr("._-*", c, 4))
            return false;
    }
    return word->size > 0 && word->size <= PATTERN_SIZE_MAX && !word->is_quoted;
}

static int add_tag(struct rules_parser *p, const struct rules_word *word)
{
    char **tags = rules_reserve(p->tags, p->tag_count, &p->tag_capacity, sizeof(*tags));

    if (!tags)
        return error_set_oom(p->err);
    p->tags = tags;
    if (!is_tag_pattern(word))
        return rules_fail(p, "\"%.*s\" is neither a tag nor a pattern of tags such as v*",
                          (int)word->size, word->text);
    p->tags[p->tag_count] = strndup(word->text, word->size);
    if (!p->tags[p->tag_count])
        return error_set_oom(p->err);
    p->tag_count++;
    return 0;
}

/* immutable TAG[,TAG...] PATTERN... and always TAG[,TAG...] PATTERN... */
static int parse_tags(struct rules_parser *p, const char *statement, unsigned kind)
{
    size_t end = rules_find_list_end(p, 1), first_tag = p->tag_count;
    int r = 0;

    if (end >= p->word_count)
        return rules_fail(p, "the line is incomplete; its form is: %s TAGS PATTERN...", statement);
    for (size_t i = 1; r == 0 && i < end; i += 2)
        r = add_tag(p, &p->words[i]);
    for (size_t at = end; r == 0 && at < p->word_count; at++) {
        r = rules_check_pattern(p, &p->words[at]);
        for (size_t tag = first_tag; r == 0 && tag < p->tag_count; tag++)
            r = rules_add_entry(p, &p->immutable, &p->words[at], (uint32_t)tag, kind);
    }
    return r;
}

/* oidc NAME issuer=URL audience=NAME jwks=FILE CLAIM=VALUE... */
static int parse_oidc(struct rules_parser *p)
{
    CLEANUP_FREE struct oidc_word *words = calloc(p->word_count, sizeof(*words));
    char fault[OIDC_FAULT_SIZE];
    int r;

    if (!words)
        return error_set_oom(p->err);
    for (size_t i = 1; i < p->word_count; i++) {
        if (rules_is_word(&p->words[i], ","))
            return rules_fail(
                p,
                "a ',' between conditions; a value with a comma stands in quotes: \"NAME=VALUE\"");
        words[i - 1] = (struct oidc_word){p->words[i].text, p->words[i].size};
    }
    r = oidc_rules_add(&p->oidc, p->line, words, p->word_count - 1, fault);
    if (r == -ENOMEM)
        return error_set_oom(p->err);
    return r < 0 ? rules_fail(p, "%s", fault) : 0;
}

static int parse_line(struct rules_parser *p, const char *at, const char *end)
{
    int r = rules_split_line(p, at, end);

    if (r < 0 || p->word_count == 0)
        return r;
    if (rules_is_word(&p->words[0], "group"))
        return parse_group(p);
    if (rules_is_word(&p->words[0], "allow"))
        return parse_allow(p);
    if (rules_is_word(&p->words[0], "immutable"))
        return parse_tags(p, "immutable", RULES_TAG_IMMUTABLE);
    if (rules_is_word(&p->words[0], "always"))
        return parse_tags(p, "always", RULES_TAG_ALWAYS);
    if (rules_is_word(&p->words[0], "retain"))
        return rules_parse_retain(p);
    if (rules_is_word(&p->words[0], "untagged"))
        return rules_parse_untagged(p);
    if (rules_is_word(&p->words[0], "quota"))
        return rules_parse_quota(p);
    if (rules_is_word(&p->words[0], "oidc"))
        return parse_oidc(p);
    return rules_fail(
        p,
        "a line begins with \"allow\", \"group\", \"immutable\", \"retain\", \"always\", "
        "\"untagged\", \"quota\" or "
        "\"oidc\", not with \"%.*s\"",
        (int)p->words[0].size, p->words[0].text);
}

static int parse_lines(struct rules_parser *p, const char *at, const char *end)
{
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        int r;

        p->line++;
        r = parse_line(p, at, newline ? newline : end);
        if (r < 0)
            return r;
        at = newline ? newline + 1 : end;
    }
    return 0;
}

/* --- the table -------------------------------------------------------------------------- */

static int compare_ids(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static int compare_members(const void *left, const void *right)
{
    const struct rules_member *a = left, *b = right;

    return strcmp(a->name, b->name);
}

/* Moves all members to rules->members, which has enough room, and sorts them. */
static void take_members(struct rules_parser *p, struct rules *rules)
{
    for (size_t i = 0; i < p->all_count; i++) {
        struct rules_name *name = p->all[i];

        if (name->is_group)
            continue;
        if (name->group_count > 1)
            qsort(name->groups, name->group_count, sizeof(*name->groups), compare_ids);
        rules->members[rules->member_count++] =
            (struct rules_member){.name = steal_ptr(&name->text),
                                  .id = name->id,
                                  .groups = steal_ptr(&name->groups),
                                  .group_count = name->group_count};
    }
    if (rules->member_count > 1)
        qsort(rules->members, rules->member_count, sizeof(*rules->members), compare_members);
}

static int check_groups(struct rules_parser *p)
{
    for (size_t i = 0; i < p->all_count; i++) {
        if (!p->all[i]->is_group || p->all[i]->is_defined)
            continue;
        p->line = p->all[i]->line;
        return rules_fail(p, "no line defines the group \"@%s\"", p->all[i]->text);
    }
    return 0;
}

/*
 * A rule for an oidc principal that no line defines is a mistake, because nobody can log in as it.
 */
static int check_workloads(struct rules_parser *p)
{
    static const char prefix[] = OIDC_PRINCIPAL_PREFIX;

    for (size_t i = 0; i < p->all_count; i++) {
        const struct rules_name *name = p->all[i];

        if (name->is_group || strncmp(name->text, prefix, strlen(prefix)) != 0 ||
            oidc_rules_has_principal(&p->oidc, name->text))
            continue;
        p->line = name->line;
        return rules_fail(p, "no line with oidc defines \"%s\"", name->text);
    }
    return 0;
}

static int make_table(struct rules_parser *p, struct rules **ret)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    int r = check_groups(p);

    if (r == 0)
        r = check_workloads(p);
    if (r < 0)
        return r;
    rules = calloc(1, sizeof(*rules));
    if (!rules)
        return error_set_oom(p->err);
    rules->references = 1;
    rules->members = calloc(p->member_count + 1, sizeof(*rules->members));
    rules->tag_count = p->tag_count;
    rules->tags = steal_ptr(&p->tags);
    rules->retention_count = p->retention_count;
    rules->retentions = steal_ptr(&p->retentions);
    rules->quota_count = p->quota_count;
    rules->quotas = steal_ptr(&p->quotas);
    rules->oidc_rules = p->oidc;
    p->oidc = (struct oidc_rules){0};
    if (!rules->members ||
        pattern_index_new(p->allowed.items, p->allowed.count, &rules->index) < 0 ||
        pattern_index_new(p->immutable.items, p->immutable.count, &rules->immutable) < 0 ||
        pattern_index_new(p->retention.items, p->retention.count, &rules->retention) < 0 ||
        pattern_index_new(p->quota_entries.items, p->quota_entries.count, &rules->quota_index) < 0)
        return error_set_oom(p->err);
    take_members(p, rules);
    for (size_t i = 0; i < p->allowed.count; i++)
        rules->has_anonymous |= p->allowed.items[i].grant.principal == RULES_ID_ANYONE;
    *ret = steal_ptr(&rules);
    return 0;
}

static void free_parser(struct rules_parser **parser)
{
    struct rules_parser *p = *parser;

    if (!p)
        return;
    tdestroy(p->names, rules_name_free);
    free(p->all);
    for (size_t i = 0; p->tags && i < p->tag_count; i++)
        free(p->tags[i]);
    free(p->tags);
    free(p->retentions);
    for (size_t i = 0; p->quotas && i < p->quota_count; i++)
        free(p->quotas[i].patterns);
    free(p->quotas);
    free(p->retention.items);
    free(p->quota_entries.items);
    oidc_rules_done(&p->oidc);
    free(p->allowed.items);
    free(p->immutable.items);
    free(p->words);
    free(p);
}

int rules_parse(const char *source, const char *text, size_t size, struct rules **ret,
                struct error *err)
{
    static const char mark[] = "\xEF\xBB\xBF";
    CLEANUP(free_parser) struct rules_parser *p = calloc(1, sizeof(*p));
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    size_t skipped =
        size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
    int r;

    if (!p)
        return error_set_oom(err);
    p->source = source;
    p->err = err;
    if (size > RULES_TEXT_MAX)
        return error_set(err, EFBIG, "%s is larger than %d MiB", source, RULES_TEXT_MAX >> 20);
    r = parse_lines(p, text + skipped, text + size);
    if (r == 0)
        r = make_table(p, &rules);
    if (r < 0)
        return r;
    rules->text_size = size;
    rules->text = malloc(size + 1);
    if (!rules->text)
        return error_set_oom(err);
    memcpy(rules->text, text, size);
    *ret = steal_ptr(&rules);
    return 0;
}
