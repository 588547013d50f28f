#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/*
 * The rules of an access file: who may do what with which repositories. Each line is a statement:
 *
 *     group team alice bob          # alice and bob are @team; more lines of a group add members
 *     allow @team pull,push team/ **   (without the blank; registry/access/pattern.h)
 *     allow anyone pull public/ **  # with a login or without
 *     allow users pull base/app     # everyone with a login, but not robots
 *     allow carol,robot+ci push-new releases/ ** mirror/ **
 *     allow @team health **         # may see the health of the registry
 *     allow "anyone" all x          # a user of that name; in quotes, no word is special
 *     immutable v*,stable releases/ ** # nobody can replace these tags
 *     retain newest=10,pushed=30d,pulled=14d team/ ** # other tags are removed
 *     always v*,stable team/ **        # but not these
 *     untagged 7d **                   # manifests without a tag are removed after that time
 *     quota 50GB team/ **              # a limit for all of them together
 *     oidc ci issuer=... audience=... jwks=... sub=... # these tokens are oidc+ci (oidc-rules.h)
 *
 * Actions are pull, push, push-new (push, but never move or replace a tag), delete, and all for
 * pull, push and delete. Rules only allow; everything else is denied. Their order does not matter.
 *
 * A table never changes, so any thread may read it; its references are counted.
 */
struct rules;
struct oidc;
struct oidc_rules;

/* Bits of the actions. */
enum rules_action {
    RULES_PULL = 1 << 0,
    RULES_PUSH = 1 << 1,
    RULES_PUSH_NEW = 1 << 2,
    RULES_DELETE = 1 << 3,
    RULES_HEALTH = 1 << 4, /* of the whole registry: its pattern is always ** */
};
enum { RULES_ACTION_COUNT = 5 };

/* bytes; pairs of one principal and one pattern */
enum { RULES_TEXT_MAX = 16 << 20, RULES_MAX = 100000 };

/*
 * Parses text. 0 with *ret owned by the caller (rules_unref), or negative; err begins with "SOURCE
 * line N: " if a line has a mistake.
 */
int rules_parse(const char *source, const char *text, size_t size, struct rules **ret,
                struct error *err) MUST_USE;

struct rules *rules_ref(struct rules *rules);
void rules_unref(struct rules *rules); /* takes NULL */
void rules_unrefp(struct rules **rules);

enum rules_principal_kind {
    RULES_ANONYMOUS, /* no login */
    RULES_USER,
    RULES_ROBOT, /* a name that begins with "robot+" or "oidc+"; "users" does not include it */
};

/* Determines the kind from the name; "" or NULL: no login. */
enum rules_principal_kind rules_principal_kind_of(const char *name);

/* All borrowed. */
struct rules_question {
    const char *principal; /* the name of a user or robot; "" without a login */
    const char *repository;
    unsigned actions; /* the RULES_* bits in question */
};

struct rules_answer {
    unsigned granted; /* the actions that a rule allows */
    /* for each granted bit, the line of a rule that allows it; otherwise 0 */
    uint32_t lines[RULES_ACTION_COUNT];
};

void rules_decide(const struct rules *rules, const struct rules_question *question,
                  struct rules_answer *ret);

/* Whether an existing tag must keep its manifest. */
bool rules_is_tag_immutable(const struct rules *rules, const char *repository, const char *tag);

/* Whether retention must not remove the tag, because it is immutable or a line says "always". */
bool rules_is_tag_kept(const struct rules *rules, const char *repository, const char *tag);

/*
 * The conditions of "retain" and "untagged" for a repository. If several lines match, the value
 * that keeps most applies.
 */
struct rules_retention {
    bool has_tags; /* a "retain" line matches; the next three are 0 if no line has them */
    uint64_t newest;
    uint64_t pushed_s, pulled_s;
    uint64_t untagged_s; /* 0: untagged manifests stay */
};
void rules_find_retention(const struct rules *rules, const char *repository,
                          struct rules_retention *ret);

/* Whether there is any "retain" or "untagged" line. */
bool rules_have_retention(const struct rules *rules);

/* A "quota" line. All repositories that match its patterns share the bytes. */
struct rules_quota {
    uint32_t line;
    uint64_t bytes;
    char id[17]; /* digest of the patterns, without the bytes, in lower-case hexadecimal digits */
    char *patterns; /* as in the file, with a blank between them */
};

enum { RULES_QUOTAS_MAX = 1000, RULES_QUOTAS_OF_ONE = 16 };

/*
 * Finds the quotas that apply to a repository: up to RULES_QUOTAS_OF_ONE, in the order of their
 * lines. Returns how many.
 */
size_t rules_find_quotas(const struct rules *rules, const char *repository,
                         const struct rules_quota *ret[RULES_QUOTAS_OF_ONE]);

/* All quotas, in the order of their lines. */
size_t rules_list_quotas(const struct rules *rules, const struct rules_quota **ret);

/* The oidc lines. */
const struct oidc_rules *rules_get_oidc_rules(const struct rules *rules);

/*
 * The verifier of OIDC tokens, or NULL. rules_set_oidc() takes ownership, and may be called only
 * before the table is shared.
 */
void rules_set_oidc(struct rules *rules, struct oidc *oidc);
struct oidc *rules_get_oidc(const struct rules *rules);

/* Whether any rule allows something to people without a login. */
bool rules_have_anonymous(const struct rules *rules);

/* Whether the table was made from this text. */
bool rules_are_of(const struct rules *rules, const char *text, size_t size);

/* The name of a single bit: "pull". */
const char *rules_action_name(enum rules_action action);

/* The bits of a name ("all" has three); 0 if there is no such action. */
unsigned rules_action_parse(const char *name, size_t size);
