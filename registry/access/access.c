/*
 * Decides whether the rules and the token, if there is one, allow what a principal asks for.
 */
#include "registry/access/access.h"

#include <string.h>

#include "registry/access/authenticate.h"

/* --- what they may do ------------------------------------------------------------------- */

static bool is_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Returns the actions that permit the scope; the right to one of them is enough. */
static unsigned actions_of(const struct access_scope *scope)
{
    if (is_text(scope->action, "pull"))
        return RULES_PULL;
    if (is_text(scope->action, "push"))
        return RULES_PUSH | RULES_PUSH_NEW;
    return scope->kind == SCOPE_CANCEL ? RULES_DELETE | RULES_PUSH | RULES_PUSH_NEW : RULES_DELETE;
}

static unsigned decide(const struct rules *rules, const struct principal *principal,
                       const char *repository, unsigned actions)
{
    struct rules_answer answer;

    rules_decide(rules, &(struct rules_question){principal->name, repository, actions}, &answer);
    return answer.granted;
}

/* The rules that restrict a principal; both NULL if nothing does. */
struct restrictions {
    struct rules *rules;
    struct robots *robots; /* only of a robot, which may do what either table allows */
};

static void restrictions_done(struct restrictions *restrictions)
{
    rules_unref(restrictions->rules);
    robots_unref(restrictions->robots);
}

static void restrictions_get(const struct access *access, const struct principal *principal,
                             struct restrictions *ret)
{
    bool is_of_robot = access_is_robot(access, principal->name, strlen(principal->name));

    *ret = (struct restrictions){
        .rules = access->rules ? access_file_get_rules(access->rules) : NULL,
        .robots = is_of_robot ? robots_file_get_robots(access->robots) : NULL,
    };
}

static unsigned decide_all(const struct restrictions *restrictions,
                           const struct principal *principal, const char *repository,
                           unsigned actions)
{
    unsigned granted = restrictions->rules || restrictions->robots ? 0 : actions;

    if (restrictions->rules)
        granted |= decide(restrictions->rules, principal, repository, actions);
    if (restrictions->robots)
        granted |= decide(robots_get_rules(restrictions->robots), principal, repository, actions);
    return granted;
}

static bool is_catalog(const struct access_scope *scope)
{
    return is_text(scope->type, "registry");
}

/* The catalog lists what the principal may pull, so everybody may ask for it. */
static bool do_rules_allow(const struct restrictions *restrictions,
                           const struct access_scope *scope, struct access_answer *ret)
{
    unsigned granted;

    if (is_catalog(scope))
        return true;
    granted = decide_all(restrictions, &ret->principal, scope->name, actions_of(scope));
    if (is_text(scope->action, "push"))
        ret->is_new_tags_only = !(granted & RULES_PUSH);
    return granted != 0;
}

/*
 * Finds the token's scope for this repository. Returns NULL if the client did not ask for it when
 * it fetched the token.
 */
static const struct scope *find_in_token(const struct verified_token *token,
                                         const struct access_scope *scope)
{
    return is_catalog(scope) ? NULL : scopes_find(&token->scopes, scope->name);
}

static bool does_token_allow(const struct verified_token *token, const struct access_scope *scope)
{
    const struct scope *granted;

    if (!token || !token->is_limited)
        return true;
    if (is_catalog(scope))
        return token->scopes.has_catalog;
    granted = find_in_token(token, scope);
    return granted && (granted->actions & actions_of(scope)) != 0;
}

/*
 * Both the token and the rules must allow a scope. A client whose token is for other repositories
 * does not learn what the rules say about this one.
 */
static enum access_verdict decide_scope(const struct restrictions *restrictions,
                                        const struct verified_token *token,
                                        const struct access_scope *scope, struct access_answer *ret)
{
    bool is_in_token = does_token_allow(token, scope);

    if (!is_in_token && !find_in_token(token, scope))
        return ACCESS_UNAUTHENTICATED;
    if (!do_rules_allow(restrictions, scope, ret))
        return ACCESS_DENIED;
    return is_in_token ? ACCESS_GRANTED : ACCESS_UNAUTHENTICATED;
}

/* Returns false if a file has changed and the caller must not wait. */
static bool get_current(const struct access *access, const struct principal *principal,
                        bool may_wait, struct restrictions *ret)
{
    if (access->rules && may_wait)
        watched_table_refresh(access->rules);
    else if (access->rules && !watched_table_is_current(access->rules))
        return false;
    restrictions_get(access, principal, ret);
    return true;
}

static bool are_any(const struct restrictions *restrictions)
{
    return restrictions->rules || restrictions->robots;
}

/* Checks all required scopes, so that the time does not reveal which one was refused. */
static enum access_verdict authorize(const struct access *access,
                                     const struct access_question *question,
                                     const struct verified_token *token, struct access_answer *ret)
{
    CLEANUP(restrictions_done) struct restrictions restrictions = {0};
    enum access_verdict verdict = ACCESS_GRANTED;

    if (!get_current(access, &ret->principal, question->may_wait, &restrictions))
        return ACCESS_WOULD_WAIT;
    ret->may_mount = !are_any(&restrictions) && !(token && token->is_limited);
    for (size_t i = 0; i < question->scope_count; i++) {
        enum access_verdict one = decide_scope(&restrictions, token, &question->scopes[i], ret);

        if (question->scopes[i].kind == SCOPE_OPTIONAL)
            ret->may_mount = one == ACCESS_GRANTED;
        else if (one == ACCESS_UNAUTHENTICATED || verdict == ACCESS_GRANTED)
            verdict = one;
    }
    if (verdict == ACCESS_UNAUTHENTICATED)
        ret->reason = ACCESS_SCOPE_MISSING;
    return verdict;
}

/* podman and skopeo send an empty name with an empty password if they know no login. */
static bool is_anonymous(const struct access_question *question)
{
    return !question->user || (question->user->size == 0 && question->password->size == 0);
}

/* Tells a client without a login that a login may help, instead of denying the request. */
static enum access_verdict hide_denial(const struct access_answer *answer,
                                       enum access_verdict verdict)
{
    return verdict == ACCESS_DENIED && !*answer->principal.name ? ACCESS_UNAUTHENTICATED : verdict;
}

/* Checks a request without credentials. It is served only if the rules allow it to everybody. */
static enum access_verdict check_anonymous(const struct access *access,
                                           const struct access_question *question,
                                           struct access_answer *ret)
{
    CLEANUP(rules_unrefp)
    struct rules *rules = access->rules ? access_file_get_rules(access->rules) : NULL;

    if (!rules || !rules_have_anonymous(rules) || question->scope_count == 0)
        return ACCESS_UNAUTHENTICATED;
    return hide_denial(ret, authorize(access, question, NULL, ret));
}

enum access_verdict access_check(const struct access *access,
                                 const struct access_question *question, struct access_answer *ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    bool is_open = !access->authenticator && !access->external;
    enum access_verdict verdict;

    *ret = (struct access_answer){.may_mount = is_open};
    if (is_open)
        return ACCESS_GRANTED;
    if (!question->bearer && is_anonymous(question))
        return check_anonymous(access, question, ret);
    verdict = access_authenticate(access, question, ret, &token);
    return verdict == ACCESS_GRANTED ? hide_denial(ret, authorize(access, question, token, ret))
                                     : verdict;
}

/* Removes what the rules do not allow. Returns whether anything is left. */
static bool restrict_scopes(const struct restrictions *restrictions,
                            const struct principal *principal, struct scopes *scopes)
{
    bool is_anything = scopes->has_catalog;

    for (size_t i = 0; i < scopes->count; i++) {
        struct scope *scope = &scopes->items[i];
        unsigned granted =
            decide_all(restrictions, principal, scope->name, scope->actions | RULES_PUSH_NEW);

        if (granted & RULES_PUSH_NEW)
            granted |= RULES_PUSH;
        scope->actions &= granted;
        is_anything |= scope->actions != 0;
    }
    return is_anything;
}

enum access_verdict access_grant(const struct access *access,
                                 const struct access_question *question, struct scopes *scopes,
                                 struct access_answer *ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    CLEANUP(restrictions_done) struct restrictions restrictions = {0};
    enum access_verdict verdict = ACCESS_GRANTED;
    bool is_anything;

    *ret = (struct access_answer){0};
    if (!is_anonymous(question))
        verdict = access_authenticate_for_token(access, question, ret, &token);
    if (verdict != ACCESS_GRANTED)
        return verdict;
    ret->is_password = !token;
    if (!get_current(access, &ret->principal, question->may_wait, &restrictions))
        return ACCESS_WOULD_WAIT;
    is_anything = restrict_scopes(&restrictions, &ret->principal, scopes);
    if (*ret->principal.name)
        return ACCESS_GRANTED;
    return restrictions.rules && rules_have_anonymous(restrictions.rules) && is_anything
               ? ACCESS_GRANTED
               : ACCESS_UNAUTHENTICATED;
}

bool access_is_restricted(const struct access *access, const struct principal *principal)
{
    return access->rules || access_is_robot(access, principal->name, strlen(principal->name));
}

static bool is_allowed(const struct access *access, const struct principal *principal,
                       const char *repository, unsigned actions)
{
    CLEANUP(restrictions_done) struct restrictions restrictions = {0};

    restrictions_get(access, principal, &restrictions);
    return decide_all(&restrictions, principal, repository, actions) != 0;
}

bool access_has_anonymous(const struct access *access)
{
    CLEANUP(rules_unrefp)
    struct rules *rules = access->rules ? access_file_get_rules(access->rules) : NULL;

    return (!access->authenticator && !access->external) || (rules && rules_have_anonymous(rules));
}

bool access_may_see_health(const struct access *access, const struct principal *principal)
{
    if (access->external)
        return false;
    if (access_is_restricted(access, principal)) /* any name will do: the pattern is ** */
        return is_allowed(access, principal, "any", RULES_HEALTH);
    return !access->authenticator || *principal->name;
}

bool access_may_pull(const struct access *access, const struct principal *principal,
                     const char *repository)
{
    return is_allowed(access, principal, repository, RULES_PULL);
}

/* A repository cannot have these names, so only patterns of wildcards match them. */
bool access_may_pull_all(const struct access *access, const struct principal *principal)
{
    return !access_is_restricted(access, principal) ||
           (is_allowed(access, principal, "_", RULES_PULL) &&
            is_allowed(access, principal, "_/_/_/_/_/_/_/_", RULES_PULL));
}

bool access_may_push(const struct access *access, const struct principal *principal,
                     const char *repository)
{
    return is_allowed(access, principal, repository, RULES_PUSH | RULES_PUSH_NEW);
}

bool access_may_delete(const struct access *access, const struct principal *principal,
                       const char *repository)
{
    return is_allowed(access, principal, repository, RULES_DELETE);
}

bool access_is_tag_immutable(const struct access *access, const char *repository, const char *tag)
{
    CLEANUP(rules_unrefp)
    struct rules *rules = access->rules ? access_file_get_rules(access->rules) : NULL;

    return rules && rules_is_tag_immutable(rules, repository, tag);
}
