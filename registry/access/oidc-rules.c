#include "registry/access/oidc-rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"

/* --- patterns and claims ---------------------------------------------------------------- */

/*
 * Where to continue after a mismatch: behind the last asterisk, which then matches one more
 * character.
 */
struct retry {
    const char *pattern, *text; /* NULL: there was no asterisk */
};

bool oidc_pattern_matches(const char *pattern, const char *text)
{
    struct retry one = {0}, any = {0};

    while (*text) {
        if (*pattern == '*') {
            bool is_any = pattern[1] == '*';

            pattern += strspn(pattern, "*");
            one = (struct retry){is_any ? NULL : pattern, text};
            any = is_any ? (struct retry){pattern, text} : any;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (one.pattern && !strchr("/:", *one.text)) {
            pattern = one.pattern;
            text = ++one.text;
        } else if (any.pattern) {
            one.pattern = NULL;
            pattern = any.pattern;
            text = ++any.text;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool does_value_match(const char *pattern, const struct json *value)
{
    const char *text = json_get_text(value);
    int64_t number;
    char digits[32];

    if (text)
        return oidc_pattern_matches(pattern, text);
    if (json_get_integer(value, &number) == 0) {
        snprintf(digits, sizeof(digits), "%lld", (long long)number);
        return oidc_pattern_matches(pattern, digits);
    }
    if (json_get_type(value) == JSON_BOOL && json_format(value, NULL) < sizeof(digits)) {
        digits[json_format(value, digits)] = '\0';
        return strcmp(pattern, digits) == 0;
    }
    return false;
}

/* If the claim is a list, such as the user's groups, one element that matches is enough. */
static bool does_claim_match(const char *pattern, const struct json *value)
{
    if (json_get_type(value) != JSON_ARRAY)
        return does_value_match(pattern, value);
    for (const struct json *item = json_get_first(value); item; item = json_get_next(item))
        if (does_value_match(pattern, item))
            return true;
    return false;
}

bool oidc_rule_matches(const struct oidc_rule *rule, const struct json *claims)
{
    for (size_t i = 0; i < rule->claim_count; i++) {
        const struct json *value = json_find(claims, rule->claims[i].name);

        if (!value || !does_claim_match(rule->claims[i].pattern, value))
            return false;
    }
    return rule->claim_count > 0;
}

bool oidc_rules_has_principal(const struct oidc_rules *rules, const char *principal)
{
    for (size_t i = 0; i < rules->count; i++)
        if (strcmp(rules->items[i].principal, principal) == 0)
            return true;
    return false;
}

/* --- lines ------------------------------------------------------------------------------ */

struct line {
    struct oidc_rule rule;
    char *fault;
};

static void rule_done(struct oidc_rule *rule)
{
    free(rule->principal);
    free(rule->issuer);
    free(rule->audience);
    free(rule->jwks);
    for (size_t i = 0; i < rule->claim_count; i++) {
        free(rule->claims[i].name);
        free(rule->claims[i].pattern);
    }
    free(rule->claims);
}

void oidc_rules_done(struct oidc_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        rule_done(&rules->items[i]);
    free(rules->items);
    *rules = (struct oidc_rules){0};
}

static int fail(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);

static int fail(struct line *line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line->fault, OIDC_FAULT_SIZE, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static bool is_name(const struct oidc_word *word)
{
    for (size_t i = 0; i < word->size; i++) {
        char c = word->text[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (i == 0 || !strchr("._-", c)))
            return false;
    }
    return word->size > 0 && word->size <= OIDC_NAME_MAX;
}

static int set_name(struct line *line, const struct oidc_word *word)
{
    if (!is_name(word))
        return fail(line,
                    "\"%.*s\" is not a name: it has 1 to %d lower-case letters, digits and . _ -",
                    (int)word->size, word->text, OIDC_NAME_MAX);
    return asprintf(&line->rule.principal, OIDC_PRINCIPAL_PREFIX "%.*s", (int)word->size,
                    word->text) < 0
               ? -ENOMEM
               : 0;
}

/* Sets issuer, audience or jwks, which may be given once. */
static int set_once(struct line *line, const char *name, const char *value, size_t size, char **ret)
{
    if (*ret)
        return fail(line, "%s is given twice", name);
    *ret = strndup(value, size);
    return *ret ? 0 : -ENOMEM;
}

/* These claims are checked for every token, so a line cannot name them. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {"iss", "aud", "exp", "nbf", "iat", "jti"};

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return false;
}

static int check_claim(struct line *line, const struct oidc_claim *claim)
{
    if (is_reserved(claim->name))
        return fail(
            line,
            "the claim \"%s\" is always checked; the issuer is issuer=, the audience is audience=",
            claim->name);
    if (claim->pattern[strspn(claim->pattern, "*")] == '\0')
        return fail(line, "%s= would match every value; give a value or a more specific pattern",
                    claim->name);
    for (size_t i = 0; i < line->rule.claim_count; i++)
        if (strcmp(line->rule.claims[i].name, claim->name) == 0)
            return fail(
                line, "%s is given twice; for another value, write another line with the same name",
                claim->name);
    return 0;
}

static int add_claim(struct line *line, const struct oidc_word *word, size_t name_size)
{
    struct oidc_rule *rule = &line->rule;
    struct oidc_claim claim;
    int r;

    if (rule->claim_count == OIDC_CLAIMS_MAX)
        return fail(line, "more than %d claims", OIDC_CLAIMS_MAX);
    claim.name = strndup(word->text, name_size);
    claim.pattern = strndup(word->text + name_size + 1, word->size - name_size - 1);
    r = claim.name && claim.pattern ? check_claim(line, &claim) : -ENOMEM;
    if (r == 0) {
        rule->claims[rule->claim_count++] = claim;
        return 0;
    }
    free(claim.name);
    free(claim.pattern);
    return r;
}

static bool is_key(const struct oidc_word *word, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(word->text, name, size) == 0;
}

static int add_condition(struct line *line, const struct oidc_word *word)
{
    const char *equals = memchr(word->text, '=', word->size);
    size_t size = equals ? (size_t)(equals - word->text) : 0, rest = word->size - size;

    if (size == 0 || rest < 2 || memchr(word->text, '\0', word->size))
        return fail(line, "\"%.*s\" is not NAME=VALUE", (int)word->size, word->text);
    if (is_key(word, size, "issuer"))
        return set_once(line, "issuer", equals + 1, rest - 1, &line->rule.issuer);
    if (is_key(word, size, "audience"))
        return set_once(line, "audience", equals + 1, rest - 1, &line->rule.audience);
    if (is_key(word, size, "jwks"))
        return set_once(line, "jwks", equals + 1, rest - 1, &line->rule.jwks);
    return add_claim(line, word, size);
}

/*
 * Anybody can get a token from these issuers. At least one of these claims must say whose token it
 * is.
 */
static const struct hosted {
    const char *issuer;
    const char *claims[8];
} hosted[] = {
    {"https://token.actions.githubusercontent.com",
     {"repository", "repository_id", "repository_owner", "repository_owner_id", "sub",
      "job_workflow_ref"}},
    {"https://gitlab.com", {"project_path", "project_id", "namespace_path", "namespace_id", "sub"}},
};

static bool has_one_of(const struct oidc_rule *rule, const char *const *names)
{
    for (; *names; names++)
        for (size_t i = 0; i < rule->claim_count; i++)
            if (strcmp(rule->claims[i].name, *names) == 0)
                return true;
    return false;
}

static int check_line(struct line *line)
{
    const struct oidc_rule *rule = &line->rule;

    if (!rule->issuer || !rule->audience || !rule->jwks)
        return fail(
            line,
            "%s is missing; a line is: oidc NAME issuer=URL audience=NAME jwks=FILE CLAIM=VALUE...",
            !rule->issuer     ? "issuer="
            : !rule->audience ? "audience="
                              : "jwks=");
    if (rule->claim_count == 0)
        return fail(line,
                    "the line names no claim, so every token of %s would be accepted; add one, "
                    "such as sub=VALUE",
                    rule->issuer);
    for (size_t i = 0; i < ARRAY_SIZE(hosted); i++)
        if (strcmp(hosted[i].issuer, rule->issuer) == 0 && !has_one_of(rule, hosted[i].claims))
            return fail(line,
                        "anybody can get such a token from %s; add %s= or another claim that says "
                        "whose it is",
                        rule->issuer, hosted[i].claims[0]);
    return 0;
}

static int parse_line(struct line *line, const struct oidc_word *words, size_t count)
{
    int r = count > 0 ? set_name(line, &words[0]) : fail(line, "the name is missing");

    line->rule.claims = calloc(OIDC_CLAIMS_MAX, sizeof(*line->rule.claims));
    if (!line->rule.claims)
        return -ENOMEM;
    for (size_t i = 1; r == 0 && i < count; i++)
        r = add_condition(line, &words[i]);
    return r == 0 ? check_line(line) : r;
}

int oidc_rules_add(struct oidc_rules *rules, uint32_t line_number, const struct oidc_word *words,
                   size_t count, char ret_fault[OIDC_FAULT_SIZE])
{
    struct line line = {.rule = {.line = line_number}, .fault = ret_fault};
    int r;

    if (rules->count == OIDC_RULES_MAX)
        return fail(&line, "more than %d oidc lines", OIDC_RULES_MAX);
    if (!rules->items)
        rules->items = calloc(OIDC_RULES_MAX, sizeof(*rules->items));
    r = rules->items ? parse_line(&line, words, count) : -ENOMEM;
    if (r == 0)
        rules->items[rules->count++] = line.rule;
    else
        rule_done(&line.rule);
    return r;
}
