#pragma once

#include "registry/access/rules-private.h"

/*
 * Shared by the files that parse an access file: rules-words.c reads words and lists of words,
 * rules-principals.c names of principals, rules-space.c the lines about space (retain, untagged,
 * quota), and rules-parse.c the other lines. For one thread.
 *
 * Functions that return int return 0, or negative with p->err set.
 */

/* A word is part of the text, without its quotes. */
struct rules_word {
    const char *text;
    size_t size;
    bool is_quoted;
};

struct rules_entries {
    struct pattern_entry *items;
    size_t count, capacity;
};

/* A name of a principal; stored in a tree by name, because there may be many. */
struct rules_name {
    char *text;
    bool is_group;
    uint32_t id;
    uint32_t line;    /* where it is first used */
    bool is_defined;  /* of a group: a line defines it */
    uint32_t *groups; /* of a member: the groups that it belongs to */
    size_t group_count, group_capacity;
};

struct rules_parser {
    const char *source;
    uint32_t line;
    struct error *err;
    void *names;             /* tsearch(3) tree of struct rules_name */
    struct rules_name **all; /* the same names in the order in which they were found */
    size_t all_count, all_capacity;
    size_t member_count;
    struct rules_entries allowed, immutable, retention, quota_entries;
    char **tags; /* patterns of tags; the entries of immutable have their indices */
    size_t tag_count, tag_capacity;
    struct rules_retention *retentions; /* the entries of retention have their indices */
    size_t retention_count, retention_capacity;
    struct rules_quota *quotas; /* the entries of quota_entries have their indices */
    size_t quota_count, quota_capacity;
    struct oidc_rules oidc;
    struct rules_word *words; /* of one line */
    size_t word_count, word_capacity;
};

/* Sets p->err to the source, the line and this text. Returns -EINVAL. */
int rules_fail(struct rules_parser *p, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Makes room for one more item in a list that doubles. Returns NULL, with the list unchanged, if
 * memory is exhausted.
 */
void *rules_reserve(void *items, size_t count, size_t *capacity, size_t item_size);

/* Reads the words of a line into p->words. A comma is a word of its own; '#' starts a comment. */
int rules_split_line(struct rules_parser *p, const char *at, const char *end);

/* Whether the word is this text, without quotes. */
bool rules_is_word(const struct rules_word *word, const char *text);

/*
 * Returns the index behind the list of words, separated by commas, that starts at `first`; at most
 * p->word_count.
 */
size_t rules_find_list_end(const struct rules_parser *p, size_t first);

/* Returns -EINVAL if the word is not a pattern of repositories. */
int rules_check_pattern(struct rules_parser *p, const struct rules_word *word);

/* Adds a pair of a principal (or another number) and a pattern. */
int rules_add_entry(struct rules_parser *p, struct rules_entries *entries,
                    const struct rules_word *pattern, uint32_t principal, unsigned actions);

/* Adds the patterns from the word `at` to the end of the line, each with this number. */
int rules_add_patterns(struct rules_parser *p, struct rules_entries *entries, size_t at,
                       size_t number);

/* Frees a node of the tree of names. */
void rules_name_free(void *node);

/* Whether a word can be a name: 0 or -EINVAL. */
int rules_check_name(struct rules_parser *p, const struct rules_word *word);

/*
 * Find the entry of a group, of a user or robot, or the number of any principal. An entry is
 * created if the file has not named it before.
 */
int rules_find_group(struct rules_parser *p, const char *text, size_t size,
                     struct rules_name **ret);
int rules_find_member(struct rules_parser *p, const struct rules_word *word,
                      struct rules_name **ret);
int rules_find_principal(struct rules_parser *p, const struct rules_word *word, uint32_t *ret);

/* The lines about space. */
int rules_parse_retain(struct rules_parser *p);
int rules_parse_untagged(struct rules_parser *p);
int rules_parse_quota(struct rules_parser *p);
