#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"

/*
 * The oidc lines of an access file, which map OpenID Connect tokens to principals:
 *
 *     oidc ci issuer=https://ci.example audience=registry.example jwks=ci.json repository=team/app
 *
 * A token is accepted as the principal oidc+ci if this issuer made it for this audience, a key in
 * the file has signed it, and all claims match. In the value of a claim, * matches any characters
 * except '/' and ':', and ** matches any characters. Several lines may have the same name.
 */
struct oidc_claim {
    char *name, *pattern;
};

struct oidc_rule {
    uint32_t line;
    char *principal; /* "oidc+ci" */
    char *issuer, *audience;
    char *jwks;                /* a path, relative to the directory of the access file */
    struct oidc_claim *claims; /* at least one */
    size_t claim_count;
};

struct oidc_rules {
    struct oidc_rule *items; /* in the order of their lines */
    size_t count;
};

#define OIDC_PRINCIPAL_PREFIX "oidc+"

enum { OIDC_RULES_MAX = 1000, OIDC_CLAIMS_MAX = 32, OIDC_NAME_MAX = 64, OIDC_FAULT_SIZE = 400 };

struct oidc_word {
    const char *text; /* not NUL-terminated */
    size_t size;
};

/*
 * Adds a line; words are the words after "oidc". 0, -ENOMEM, or -EINVAL with the mistake in
 * ret_fault.
 */
int oidc_rules_add(struct oidc_rules *rules, uint32_t line, const struct oidc_word *words,
                   size_t count, char ret_fault[OIDC_FAULT_SIZE]);

void oidc_rules_done(struct oidc_rules *rules);

/* Whether any line defines this principal. */
bool oidc_rules_has_principal(const struct oidc_rules *rules, const char *principal);

/* Whether all claims of the rule match those of a token. */
bool oidc_rule_matches(const struct oidc_rule *rule, const struct json *claims);

/* Whether a text matches the pattern of a claim. */
bool oidc_pattern_matches(const char *pattern, const char *text);
