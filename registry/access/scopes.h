#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"
#include "common/macros.h"
#include "registry/access/rules.h"

/*
 * The scopes that a client asks for when it fetches a token, and those that the token gives:
 * actions in repositories, and the catalog. The actions are bits of enum rules_action;
 * RULES_PUSH_NEW is not used, because the rules decide about it when a tag is pushed. Not for
 * several threads while it changes.
 */
struct scope {
    char *name; /* a valid name of a repository */
    unsigned actions;
};

struct scopes {
    struct scope *items; /* in the order in which they were added; no two of one name */
    size_t count;
    size_t text_size; /* of all names */
    bool has_catalog;
};

enum { SCOPES_MAX = 64, SCOPES_TEXT_MAX = 8 << 10 }; /* repositories; bytes of their names */

/*
 * Adds scopes in the form of the distribution specification, separated by blanks:
 * "repository:team/app:pull,push".
 * "*" are all actions. Unknown types and actions, and names that are invalid, are ignored. 0,
 * -E2BIG for more than a token can hold, or -ENOMEM.
 */
int scopes_add(struct scopes *scopes, const char *text) MUST_USE;

/* NULL if there is none of that name. */
const struct scope *scopes_find(const struct scopes *scopes, const char *name);

/*
 * As the claim "access" of a token: [{"type":"repository","name":"team/app","actions":["pull"]}].
 * NUL-terminated, owned by the caller, free with free(); NULL if memory is out.
 */
char *scopes_format(const struct scopes *scopes);

/* Reads such a claim. 0, -EBADMSG, -E2BIG or -ENOMEM; scopes is empty before. */
int scopes_parse_claim(const struct json *claim, struct scopes *scopes) MUST_USE;

/* Frees, and leaves it empty. */
void scopes_done(struct scopes *scopes);
