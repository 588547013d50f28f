/*
 * From the text of an access file to a table. First all lines are read into lists, because a rule may
 * name a group that a later line defines. Then the lists become the table.
 */
#include "registry/access/rules-private.h"

#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "registry/access/age.h"

/* A word is part of the text, without its quotes. */
struct word {
    const char *text;
    size_t size;
    bool is_quoted;
};

/* A name that stands for a principal; in a tree by name, for there are many. */
struct name {
    char *text;
    bool is_group;
    uint32_t id;
    uint32_t line;       /* where it is used first */
    bool is_defined;     /* a group with a line of its own */
    uint32_t *groups;    /* of a member */
    size_t group_count, group_capacity;
};

struct parser {
    const char *source;
    uint32_t line;
    struct error *err;
    void *names; /* tsearch(3) tree of struct name */
    struct name **all; /* the same in the order in which they were found */
    size_t all_count, all_capacity;
    size_t member_count;
    struct entries {
        struct pattern_entry *items;
        size_t count, capacity;
    } allowed, immutable, retention, quota_entries;
    char **tags; /* patterns of tags, which immutable's entries name by their index */
    size_t tag_count, tag_capacity;
    struct rules_retention *retentions; /* which retention's entries name by their index */
    size_t retention_count, retention_capacity;
    struct rules_quota *quotas; /* which quota_entries name by their index */
    size_t quota_count, quota_capacity;
    struct oidc_rules oidc;
    struct word *words; /* of one line */
    size_t word_count, word_capacity;
};

static int fail(struct parser *p, const char *format, ...) PRINTF_LIKE(2, 3);

static int fail(struct parser *p, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(p->err, EINVAL, "%s line %u: %s", p->source, p->line, text);
}

/* Room for one more in a list that doubles; NULL without memory, the list is as before then. */
static void *reserve(void *items, size_t count, size_t *capacity, size_t item_size)
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

static int read_quoted(struct parser *p, const char **at, const char *end, struct word *ret)
{
    const char *close = memchr(*at + 1, '"', (size_t)(end - *at - 1));

    if (!close)
        return fail(p, "a '\"' has no second one");
    *ret = (struct word){*at + 1, (size_t)(close - *at - 1), true};
    *at = close + 1;
    if (*at < end && !ends_word(**at))
        return fail(p, "something follows a closing '\"' without a blank");
    return 0;
}

static int read_plain(struct parser *p, const char **at, const char *end, struct word *ret)
{
    const char *start = *at;

    while (*at < end && !ends_word(**at) && **at != '"')
        (*at)++;
    *ret = (struct word){start, (size_t)(*at - start), false};
    return *at < end && **at == '"' ? fail(p, "a '\"' stands inside of a word") : 0;
}

/* A comma is a word of its own. */
static int read_word(struct parser *p, const char **at, const char *end, struct word *ret)
{
    if (**at == '"')
        return read_quoted(p, at, end, ret);
    if (**at != ',')
        return read_plain(p, at, end, ret);
    *ret = (struct word){(*at)++, 1, false};
    return 0;
}

static int split_line(struct parser *p, const char *at, const char *end)
{
    p->word_count = 0;
    while (at < end && *at != '#') {
        struct word *words;
        int r;

        if (is_blank(*at)) {
            at++;
            continue;
        }
        words = reserve(p->words, p->word_count, &p->word_capacity, sizeof(*words));
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

static bool is_word(const struct word *word, const char *text)
{
    return !word->is_quoted && word->size == strlen(text) && memcmp(word->text, text, word->size) == 0;
}

/* --- principals ------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right)
{
    const struct name *a = left, *b = right;

    return a->is_group != b->is_group ? (a->is_group ? -1 : 1) : strcmp(a->text, b->text);
}

static void free_name(void *node)
{
    struct name *name = node;

    free(name->text);
    free(name->groups);
    free(name);
}

static struct name *new_name(struct parser *p, const char *text, size_t size, bool is_group)
{
    struct name **all = reserve(p->all, p->all_count, &p->all_capacity, sizeof(*all));
    struct name *name = all ? calloc(1, sizeof(*name)) : NULL;

    if (all)
        p->all = all;
    if (!name)
        return NULL;
    *name = (struct name){.text = strndup(text, size), .is_group = is_group, .line = p->line};
    if (name->text)
        return name;
    free(name);
    return NULL;
}

/* Finds the entry of a name, or creates it. */
static int find_name(struct parser *p, const char *text, size_t size, bool is_group, struct name **ret)
{
    struct name *name = new_name(p, text, size, is_group);
    struct name **found = name ? tsearch(name, &p->names, compare_names) : NULL;

    if (name && (!found || *found != name))
        free_name(name);
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

static int check_name(struct parser *p, const struct word *word)
{
    if (word->size == 0)
        return fail(p, "an empty name");
    if (is_word(word, ","))
        return fail(p, "a ',' without a name before it");
    if (memchr(word->text, '\0', word->size) || memchr(word->text, ':', word->size))
        return fail(p, "a name with a ':' or a NUL, which no user has");
    return 0;
}

static int find_member(struct parser *p, const struct word *word, struct name **ret)
{
    int r = check_name(p, word);

    if (r < 0)
        return r;
    if (is_word(word, "@"))
        return fail(p, "a '@' without the name of a group");
    if (!word->is_quoted && word->text[0] == '@')
        return fail(p, "\"%.*s\" is a group; only users and robots are members of one", (int)word->size, word->text);
    if (is_word(word, "anyone") || is_word(word, "users"))
        return fail(p, "\"%.*s\" means more than one user; a user of that name stands in quotes", (int)word->size,
                    word->text);
    return find_name(p, word->text, word->size, false, ret);
}

static int find_principal(struct parser *p, const struct word *word, uint32_t *ret)
{
    struct name *name = NULL;
    int r = 0;

    if (is_word(word, "anyone") || is_word(word, "users")) {
        *ret = is_word(word, "users") ? RULES_ID_USERS : RULES_ID_ANYONE;
        return 0;
    }
    if (word->size > 1 && !word->is_quoted && word->text[0] == '@')
        r = find_name(p, word->text + 1, word->size - 1, true, &name);
    else
        r = find_member(p, word, &name);
    if (name)
        *ret = name->id;
    return r;
}

/* --- statements ------------------------------------------------------------------------- */

static int join_group(struct parser *p, struct name *member, uint32_t group)
{
    uint32_t *groups;

    for (size_t i = 0; i < member->group_count; i++)
        if (member->groups[i] == group)
            return 0;
    groups = reserve(member->groups, member->group_count, &member->group_capacity, sizeof(*groups));
    if (!groups)
        return error_set_oom(p->err);
    member->groups = groups;
    member->groups[member->group_count++] = group;
    return 0;
}

/* group NAME MEMBER... */
static int parse_group(struct parser *p)
{
    struct name *group = NULL, *member = NULL;
    int r;

    if (p->word_count < 2)
        return fail(p, "\"group\" without a name; a line is: group NAME MEMBER...");
    r = check_name(p, &p->words[1]);
    if (r == 0 && !p->words[1].is_quoted && p->words[1].text[0] == '@')
        r = fail(p, "a group is defined without '@', which is for its use: group %.*s ...",
                 (int)p->words[1].size - 1, p->words[1].text + 1);
    if (r == 0)
        r = find_name(p, p->words[1].text, p->words[1].size, true, &group);
    if (r < 0 || !group)
        return r;
    group->is_defined = true;
    for (size_t i = 2; r == 0 && i < p->word_count; i++) {
        if (is_word(&p->words[i], ","))
            continue;
        r = find_member(p, &p->words[i], &member);
        if (r == 0 && member)
            r = join_group(p, member, group->id);
    }
    return r;
}

static int add_entry(struct parser *p, struct entries *entries, const struct word *pattern, uint32_t principal,
                     unsigned actions)
{
    struct pattern_entry *items = reserve(entries->items, entries->count, &entries->capacity, sizeof(*items));

    if (!items)
        return error_set_oom(p->err);
    entries->items = items;
    if (entries->count == RULES_MAX)
        return fail(p, "more than %d pairs of a principal or tag and a pattern", RULES_MAX);
    items[entries->count++] = (struct pattern_entry){
        .pattern = pattern->text, .size = pattern->size, .grant = {principal, p->line, actions}};
    return 0;
}

/* Where the list of words with commas between them that begins at `first` ends. */
static size_t find_list_end(const struct parser *p, size_t first)
{
    size_t i = first + 1;

    while (i + 1 < p->word_count && is_word(&p->words[i], ","))
        i += 2;
    return i < p->word_count ? i : p->word_count;
}

static int parse_actions(struct parser *p, size_t first, size_t end, unsigned *ret)
{
    *ret = 0;
    for (size_t i = first; i < end; i += 2) {
        const struct word *word = &p->words[i];
        unsigned bits = word->is_quoted ? 0 : rules_action_parse(word->text, word->size);

        if (!bits)
            return fail(p, "there is no action \"%.*s\"; actions are pull, push, push-new, delete and all",
                        (int)word->size, word->text);
        *ret |= bits;
    }
    return 0;
}

static int check_pattern(struct parser *p, const struct word *word)
{
    const char *fault = is_word(word, ",") ? "stands where a pattern should; patterns have blanks between them"
                        : word->is_quoted  ? "is in quotes, which are for names of users"
                                           : pattern_find_fault(word->text, word->size);

    return fault ? fail(p, "the pattern \"%.*s\" %s", (int)word->size, word->text, fault) : 0;
}

/* allow WHO[,WHO...] ACTION[,ACTION...] PATTERN... */
static int parse_allow(struct parser *p)
{
    size_t who_end = find_list_end(p, 1), action_end = find_list_end(p, who_end);
    unsigned actions;
    int r;

    if (action_end >= p->word_count)
        return fail(p, "something is missing; a line is: allow WHO ACTIONS PATTERN...");
    r = parse_actions(p, who_end, action_end, &actions);
    for (size_t at = action_end; r == 0 && at < p->word_count; at++) {
        r = check_pattern(p, &p->words[at]);
        for (size_t who = 1; r == 0 && who < who_end; who += 2) {
            uint32_t principal = UINT32_MAX; /* of nobody */

            r = find_principal(p, &p->words[who], &principal);
            if (r == 0)
                r = add_entry(p, &p->allowed, &p->words[at], principal, actions);
        }
    }
    return r;
}

static bool is_tag_pattern(const struct word *word)
{
    for (size_t i = 0; i < word->size; i++) {
        char c = word->text[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !memchr("._-*", c, 4))
            return false;
    }
    return word->size > 0 && word->size <= PATTERN_SIZE_MAX && !word->is_quoted;
}

static int add_tag(struct parser *p, const struct word *word)
{
    char **tags = reserve(p->tags, p->tag_count, &p->tag_capacity, sizeof(*tags));

    if (!tags)
        return error_set_oom(p->err);
    p->tags = tags;
    if (!is_tag_pattern(word))
        return fail(p, "\"%.*s\" is no tag and no pattern of tags, such as v*", (int)word->size, word->text);
    p->tags[p->tag_count] = strndup(word->text, word->size);
    if (!p->tags[p->tag_count])
        return error_set_oom(p->err);
    p->tag_count++;
    return 0;
}

/* immutable TAG[,TAG...] PATTERN..., and always likewise */
static int parse_tags(struct parser *p, const char *statement, unsigned kind)
{
    size_t end = find_list_end(p, 1), first_tag = p->tag_count;
    int r = 0;

    if (end >= p->word_count)
        return fail(p, "something is missing; a line is: %s TAGS PATTERN...", statement);
    for (size_t i = 1; r == 0 && i < end; i += 2)
        r = add_tag(p, &p->words[i]);
    for (size_t at = end; r == 0 && at < p->word_count; at++) {
        r = check_pattern(p, &p->words[at]);
        for (size_t tag = first_tag; r == 0 && tag < p->tag_count; tag++)
            r = add_entry(p, &p->immutable, &p->words[at], (uint32_t)tag, kind);
    }
    return r;
}

/* The patterns from the word `at` on belong to one line, which has that number among those of its kind. */
static int add_patterns(struct parser *p, struct entries *entries, size_t at, size_t number)
{
    int r = 0;

    for (; r == 0 && at < p->word_count; at++) {
        r = check_pattern(p, &p->words[at]);
        if (r == 0)
            r = add_entry(p, entries, &p->words[at], (uint32_t)number, 0);
    }
    return r;
}

static int add_retention(struct parser *p, size_t at, const struct rules_retention *retention)
{
    struct rules_retention *items = reserve(p->retentions, p->retention_count, &p->retention_capacity, sizeof(*items));

    if (!items)
        return error_set_oom(p->err);
    p->retentions = items;
    items[p->retention_count++] = *retention;
    return add_patterns(p, &p->retention, at, p->retention_count - 1);
}

/* --- retain, untagged, quota ------------------------------------------------------------ */

static bool parse_count(const char *text, size_t size, uint64_t *ret)
{
    uint64_t count = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        count = count * 10 + (uint64_t)(text[i] - '0');
    }
    *ret = count;
    return size > 0 && size <= 9 && count > 0;
}

static int parse_condition(struct parser *p, const struct word *word, struct rules_retention *retention)
{
    static const char newest[] = "newest=", pushed[] = "pushed=", pulled[] = "pulled=";
    size_t size = word->is_quoted ? 0 : strlen(pushed); /* all are as long */
    bool is_good = false;

    if (word->size > size && memcmp(word->text, newest, size) == 0)
        is_good = parse_count(word->text + size, word->size - size, &retention->newest);
    else if (word->size > size && memcmp(word->text, pushed, size) == 0)
        is_good = age_parse(word->text + size, word->size - size, &retention->pushed_s) == 0;
    else if (word->size > size && memcmp(word->text, pulled, size) == 0)
        is_good = age_parse(word->text + size, word->size - size, &retention->pulled_s) == 0;
    return is_good ? 0 : fail(p, "\"%.*s\" is not newest=NUMBER, pushed=AGE or pulled=AGE; an age is like 30d, 12h or 2w",
                              (int)word->size, word->text);
}

/* retain CONDITION[,CONDITION...] PATTERN... */
static int parse_retain(struct parser *p)
{
    struct rules_retention retention = {.has_tags = true};
    size_t end = find_list_end(p, 1);
    int r = 0;

    if (end >= p->word_count)
        return fail(p, "something is missing; a line is: retain CONDITIONS PATTERN...");
    for (size_t i = 1; r == 0 && i < end; i += 2)
        r = parse_condition(p, &p->words[i], &retention);
    return r < 0 ? r : add_retention(p, end, &retention);
}

/* untagged AGE PATTERN... */
static int parse_untagged(struct parser *p)
{
    struct rules_retention retention = {0};

    if (p->word_count < 3)
        return fail(p, "something is missing; a line is: untagged AGE PATTERN...");
    if (p->words[1].is_quoted || age_parse(p->words[1].text, p->words[1].size, &retention.untagged_s) < 0)
        return fail(p, "\"%.*s\" is not an age, such as 30d, 12h or 2w", (int)p->words[1].size, p->words[1].text);
    return add_retention(p, 2, &retention);
}

/* "50GB", "500MiB", "2TB": powers of 1000, with an 'i' powers of 1024. */
static bool parse_bytes(const char *text, size_t size, uint64_t *ret)
{
    static const char letters[] = "kMGTP";
    size_t digits = 0, unit = 0;
    const char *letter;
    uint64_t bytes, step;

    while (digits < size && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    if (!parse_count(text, digits, &bytes) || digits == size || text[size - 1] != 'B')
        return false;
    unit = size - digits - 1;
    step = unit == 2 && text[digits + 1] == 'i' ? 1024 : 1000;
    if (unit > 2 || (unit == 2 && step == 1000))
        return false;
    letter = unit > 0 ? strchr(letters, text[digits] == 'K' ? 'k' : text[digits]) : NULL;
    if (unit > 0 && (!letter || !*letter))
        return false;
    for (ptrdiff_t i = letter ? letter - letters + 1 : 0; i > 0; i--)
        if (__builtin_mul_overflow(bytes, step, &bytes))
            return false;
    *ret = bytes;
    return bytes <= INT64_MAX;
}

/* The patterns of a line with blanks between them; *quota gets the text and its number. */
static int name_quota(struct parser *p, struct rules_quota *quota)
{
    struct digest digest;
    size_t size = 0;

    for (size_t i = 2; i < p->word_count; i++)
        size += p->words[i].size + 1;
    quota->patterns = calloc(1, size);
    if (!quota->patterns)
        return error_set_oom(p->err);
    for (size_t i = 2, at = 0; i < p->word_count; at += p->words[i].size + 1, i++) {
        memcpy(quota->patterns + at, p->words[i].text, p->words[i].size);
        if (i + 1 < p->word_count)
            quota->patterns[at + p->words[i].size] = ' ';
    }
    if (digest_of(DIGEST_SHA256, quota->patterns, size - 1, &digest) < 0)
        return error_set_oom(p->err);
    snprintf(quota->id, sizeof(quota->id), "%.16s", digest.hex);
    return 0;
}

/* quota SIZE PATTERN... */
static int parse_quota(struct parser *p)
{
    struct rules_quota *quotas = reserve(p->quotas, p->quota_count, &p->quota_capacity, sizeof(*quotas)), *quota;
    size_t number = p->quota_count;
    int r;

    if (!quotas)
        return error_set_oom(p->err);
    p->quotas = quotas;
    if (p->word_count < 3)
        return fail(p, "something is missing; a line is: quota SIZE PATTERN...");
    if (p->quota_count == RULES_QUOTAS_MAX)
        return fail(p, "more than %d quotas", RULES_QUOTAS_MAX);
    quota = &quotas[number];
    *quota = (struct rules_quota){.line = p->line};
    if (p->words[1].is_quoted || !parse_bytes(p->words[1].text, p->words[1].size, &quota->bytes))
        return fail(p, "\"%.*s\" is not a size, such as 50GB, 500MB or 20GiB", (int)p->words[1].size, p->words[1].text);
    p->quota_count++;
    r = add_patterns(p, &p->quota_entries, 2, number);
    if (r == 0)
        r = name_quota(p, quota);
    for (size_t i = 0; r == 0 && i < number; i++)
        if (strcmp(quotas[i].id, quota->id) == 0)
            return fail(p, "line %u is a quota of the same patterns", quotas[i].line);
    return r;
}

/* oidc NAME issuer=URL audience=NAME jwks=FILE CLAIM=VALUE... */
static int parse_oidc(struct parser *p)
{
    CLEANUP_FREE struct oidc_word *words = calloc(p->word_count, sizeof(*words));
    char fault[OIDC_FAULT_SIZE];
    int r;

    if (!words)
        return error_set_oom(p->err);
    for (size_t i = 1; i < p->word_count; i++) {
        if (is_word(&p->words[i], ","))
            return fail(p, "a ',' between conditions; a value with a comma stands in quotes: \"NAME=VALUE\"");
        words[i - 1] = (struct oidc_word){p->words[i].text, p->words[i].size};
    }
    r = oidc_rules_add(&p->oidc, p->line, words, p->word_count - 1, fault);
    if (r == -ENOMEM)
        return error_set_oom(p->err);
    return r < 0 ? fail(p, "%s", fault) : 0;
}

static int parse_line(struct parser *p, const char *at, const char *end)
{
    int r = split_line(p, at, end);

    if (r < 0 || p->word_count == 0)
        return r;
    if (is_word(&p->words[0], "group"))
        return parse_group(p);
    if (is_word(&p->words[0], "allow"))
        return parse_allow(p);
    if (is_word(&p->words[0], "immutable"))
        return parse_tags(p, "immutable", RULES_TAG_IMMUTABLE);
    if (is_word(&p->words[0], "always"))
        return parse_tags(p, "always", RULES_TAG_ALWAYS);
    if (is_word(&p->words[0], "retain"))
        return parse_retain(p);
    if (is_word(&p->words[0], "untagged"))
        return parse_untagged(p);
    if (is_word(&p->words[0], "quota"))
        return parse_quota(p);
    if (is_word(&p->words[0], "oidc"))
        return parse_oidc(p);
    return fail(p, "a line begins with \"allow\", \"group\", \"immutable\", \"retain\", \"always\", \"untagged\", \"quota\" or "
                "\"oidc\", not with \"%.*s\"", (int)p->words[0].size, p->words[0].text);
}

static int parse_lines(struct parser *p, const char *at, const char *end)
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

/* Takes over all members, which are sorted then. rules->members has room for them. */
static void take_members(struct parser *p, struct rules *rules)
{
    for (size_t i = 0; i < p->all_count; i++) {
        struct name *name = p->all[i];

        if (name->is_group)
            continue;
        if (name->group_count > 1)
            qsort(name->groups, name->group_count, sizeof(*name->groups), compare_ids);
        rules->members[rules->member_count++] = (struct rules_member){
            .name = steal_ptr(&name->text), .id = name->id,
            .groups = steal_ptr(&name->groups), .group_count = name->group_count};
    }
    if (rules->member_count > 1)
        qsort(rules->members, rules->member_count, sizeof(*rules->members), compare_members);
}

static int check_groups(struct parser *p)
{
    for (size_t i = 0; i < p->all_count; i++) {
        if (!p->all[i]->is_group || p->all[i]->is_defined)
            continue;
        p->line = p->all[i]->line;
        return fail(p, "no line defines the group \"@%s\"", p->all[i]->text);
    }
    return 0;
}

/* A rule for a principal that cannot log in is a mistake. */
static int check_workloads(struct parser *p)
{
    static const char prefix[] = OIDC_PRINCIPAL_PREFIX;

    for (size_t i = 0; i < p->all_count; i++) {
        const struct name *name = p->all[i];

        if (name->is_group || strncmp(name->text, prefix, strlen(prefix)) != 0 ||
            oidc_rules_has_principal(&p->oidc, name->text))
            continue;
        p->line = name->line;
        return fail(p, "no line with oidc defines \"%s\"", name->text);
    }
    return 0;
}

static int make_table(struct parser *p, struct rules **ret)
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
    if (!rules->members || pattern_index_new(p->allowed.items, p->allowed.count, &rules->index) < 0 ||
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

static void free_parser(struct parser **parser)
{
    struct parser *p = *parser;

    if (!p)
        return;
    tdestroy(p->names, free_name);
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

int rules_parse(const char *source, const char *text, size_t size, struct rules **ret, struct error *err)
{
    static const char mark[] = "\xEF\xBB\xBF";
    CLEANUP(free_parser) struct parser *p = calloc(1, sizeof(*p));
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    size_t skipped = size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
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
