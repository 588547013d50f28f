#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"
#include "common/macros.h"
#include "registry/access/rules.h"

/*
 * The scopes that a client asks for when it fetches a token, and the scopes of the token: actions
 * in repositories, and the catalog. The actions are bits of enum rules_action. RULES_PUSH_NEW is
 * not used, because the rules are asked when a tag is pushed. Only one thread may change a struct
 * scopes, and no other may read it meanwhile.
 */
struct scope {
    char *name; /* a valid repository name */
    unsigned actions;
};

struct scopes {
    struct scope *items; /* in the order in which they were added; names are unique */
    size_t count;
    size_t text_size; /* of all names */
    bool has_catalog;
};

enum { SCOPES_MAX = 64, SCOPES_TEXT_MAX = 8 << 10 }; /* repositories; bytes of their names */

/*
 * Adds scopes in the form of the distribution specification, separated by blanks:
 * "repository:team/app:pull,push". "*" means all actions. Unknown types and actions, and invalid
 * names, are ignored. 0, -E2BIG if a token cannot hold so many, or -ENOMEM.
 */
int scopes_add(struct scopes *scopes, const char *text) MUST_USE;

/* Returns NULL if there is none with this name. */
const struct scope *scopes_find(const struct scopes *scopes, const char *name);

/*
 * Formats the claim "access" of a token:
 * [{"type":"repository","name":"team/app","actions":["pull"]}]. NUL-terminated, owned by the
 * caller, free with free(); NULL if memory is exhausted.
 */
char *scopes_format(const struct scopes *scopes);

/* Parses such a claim into scopes, which must be empty. 0, -EBADMSG, -E2BIG or -ENOMEM. */
int scopes_parse_claim(const struct json *claim, struct scopes *scopes) MUST_USE;

/* Frees the scopes and leaves the struct empty. */
void scopes_done(struct scopes *scopes);
