#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"

/*
 * The lines of an access file that say which OpenID Connect tokens stand for which principal:
 *
 *     oidc ci issuer=https://ci.example audience=registry.example jwks=ci.json repository=team/app
 * ref=refs/tags/v*
 *
 * A token of this issuer for this audience, signed by a key in the file, whose claims all match, is
 * the principal oidc+ci. In the value of a claim, * stands for any characters but '/' and ':', and
 * ** for any characters. Several lines may have one name.
 */
struct oidc_claim {
    char *name, *pattern;
};

struct oidc_rule {
    uint32_t line;
    char *principal; /* "oidc+ci" */
    char *issuer, *audience;
    char *jwks; /* a path; a relative one begins at the directory of the access file */
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

/* Adds a line; words are what follows "oidc" in it. 0, -ENOMEM, or -EINVAL with what is wrong in
 * ret_fault. */
int oidc_rules_add(struct oidc_rules *rules, uint32_t line, const struct oidc_word *words,
                   size_t count, char ret_fault[OIDC_FAULT_SIZE]);

void oidc_rules_done(struct oidc_rules *rules);

/* Whether any line gives this principal. */
bool oidc_rules_has_principal(const struct oidc_rules *rules, const char *principal);

/* Whether all claims of the rule match those of a token. */
bool oidc_rule_matches(const struct oidc_rule *rule, const struct json *claims);

/* Whether a text matches the pattern of a claim. */
bool oidc_pattern_matches(const char *pattern, const char *text);
