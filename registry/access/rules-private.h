#pragma once

#include "registry/access/oidc-rules.h"
#include "registry/access/pattern-index.h"
#include "registry/access/pattern.h"
#include "registry/access/rules.h"

/* The table that rules-parse.c makes and rules.c reads. */

/*
 * The numbers of principals: these, then groups, users and robots in the order in which the file
 * first names them.
 */
enum { RULES_ID_ANYONE, RULES_ID_USERS, RULES_ID_FIRST };

/* A user or a robot that the file names. */
struct rules_member {
    char *name;
    uint32_t id;
    uint32_t *groups; /* their numbers, sorted, without duplicates */
    size_t group_count;
};

/* Bits of the actions in the index of tags. */
enum { RULES_TAG_IMMUTABLE = 1, RULES_TAG_ALWAYS = 2 };

struct rules {
    unsigned references;          /* atomic */
    struct rules_member *members; /* sorted by name */
    size_t member_count;
    struct pattern_index *index;     /* of allow */
    struct pattern_index *immutable; /* of lines about tags: see RULES_TAG_* */
    char **tags;                     /* patterns of tags */
    size_t tag_count;
    struct pattern_index *retention;    /* principals are indices of retentions */
    struct rules_retention *retentions; /* one for each line */
    size_t retention_count;
    struct pattern_index *quota_index; /* principals are indices of quotas */
    struct rules_quota *quotas;
    size_t quota_count;
    bool has_anonymous;
    struct oidc_rules oidc_rules;
    struct oidc *oidc; /* the keys of the oidc lines; NULL: not opened */
    char *text;        /* a copy of the file */
    size_t text_size;
};
