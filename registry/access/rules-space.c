/* The lines of an access file about space: retain, untagged, quota. */
#include "registry/access/rules-parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/byte-size.h"
#include "common/digest.h"
#include "registry/access/age.h"

static int add_retention(struct rules_parser *p, size_t at, const struct rules_retention *retention)
{
    struct rules_retention *items =
        rules_reserve(p->retentions, p->retention_count, &p->retention_capacity, sizeof(*items));

    if (!items)
        return error_set_oom(p->err);
    p->retentions = items;
    items[p->retention_count++] = *retention;
    return rules_add_patterns(p, &p->retention, at, p->retention_count - 1);
}

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

static int parse_condition(struct rules_parser *p, const struct rules_word *word,
                           struct rules_retention *retention)
{
    static const char newest[] = "newest=", pushed[] = "pushed=", pulled[] = "pulled=";
    size_t size = word->is_quoted ? 0 : strlen(pushed); /* all prefixes have this length */
    bool is_good = false;

    if (word->size > size && memcmp(word->text, newest, size) == 0)
        is_good = parse_count(word->text + size, word->size - size, &retention->newest);
    else if (word->size > size && memcmp(word->text, pushed, size) == 0)
        is_good = age_parse(word->text + size, word->size - size, &retention->pushed_s) == 0;
    else if (word->size > size && memcmp(word->text, pulled, size) == 0)
        is_good = age_parse(word->text + size, word->size - size, &retention->pulled_s) == 0;
    return is_good ? 0
                   : rules_fail(p,
                                "\"%.*s\" is not newest=NUMBER, pushed=AGE or pulled=AGE; an age "
                                "is like 30d, 12h or 2w",
                                (int)word->size, word->text);
}

/* retain CONDITION[,CONDITION...] PATTERN... */
int rules_parse_retain(struct rules_parser *p)
{
    struct rules_retention retention = {.has_tags = true};
    size_t end = rules_find_list_end(p, 1);
    int r = 0;

    if (end >= p->word_count)
        return rules_fail(p, "the line is incomplete; its form is: retain CONDITIONS PATTERN...");
    for (size_t i = 1; r == 0 && i < end; i += 2)
        r = parse_condition(p, &p->words[i], &retention);
    return r < 0 ? r : add_retention(p, end, &retention);
}

/* untagged AGE PATTERN... */
int rules_parse_untagged(struct rules_parser *p)
{
    struct rules_retention retention = {0};

    if (p->word_count < 3)
        return rules_fail(p, "the line is incomplete; its form is: untagged AGE PATTERN...");
    if (p->words[1].is_quoted ||
        age_parse(p->words[1].text, p->words[1].size, &retention.untagged_s) < 0)
        return rules_fail(p, "\"%.*s\" is not an age, such as 30d, 12h or 2w",
                          (int)p->words[1].size, p->words[1].text);
    return add_retention(p, 2, &retention);
}

/* Joins the patterns of a line with blanks between them. Sets the text and the ID of *quota. */
static int name_quota(struct rules_parser *p, struct rules_quota *quota)
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
int rules_parse_quota(struct rules_parser *p)
{
    struct rules_quota *quotas = rules_reserve(p->quotas, p->quota_count, &p->quota_capacity,
                                               sizeof(*quotas)),
                       *quota;
    size_t number = p->quota_count;
    int r;

    if (!quotas)
        return error_set_oom(p->err);
    p->quotas = quotas;
    if (p->word_count < 3)
        return rules_fail(p, "the line is incomplete; its form is: quota SIZE PATTERN...");
    if (p->quota_count == RULES_QUOTAS_MAX)
        return rules_fail(p, "more than %d quotas", RULES_QUOTAS_MAX);
    quota = &quotas[number];
    *quota = (struct rules_quota){.line = p->line};
    if (p->words[1].is_quoted ||
        byte_size_parse(p->words[1].text, p->words[1].size, &quota->bytes) < 0)
        return rules_fail(p, "\"%.*s\" is not a size, such as 50GB, 500MB or 20GiB",
                          (int)p->words[1].size, p->words[1].text);
    p->quota_count++;
    r = rules_add_patterns(p, &p->quota_entries, 2, number);
    if (r == 0)
        r = name_quota(p, quota);
    for (size_t i = 0; r == 0 && i < number; i++)
        if (strcmp(quotas[i].id, quota->id) == 0)
            return rules_fail(p, "line %u has a quota for the same patterns", quotas[i].line);
    return r;
}
