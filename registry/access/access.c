/*
 * First who asks (authenticate), then whether the rules allow what they ask for (authorize).
 */
#include "registry/access/access.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/monotonic.h"
#include "registry/access/oidc.h"

/* The question's user and address, as the limit wants them. */
#define WHO(question) (question)->address, (question)->user->data, (question)->user->size, (uint64_t)monotonic_ms()

static enum access_verdict grant(const struct access *access, const struct access_question *question,
                                 struct access_answer *ret)
{
    if (access->guess_limit)
        guess_limit_note_login(access->guess_limit, WHO(question));
    snprintf(ret->principal.name, sizeof(ret->principal.name), "%.*s", (int)question->user->size,
             (const char *)question->user->data);
    return ACCESS_GRANTED;
}

static enum access_verdict deny(const struct access *access, const struct access_question *question)
{
    if (access->guess_limit)
        guess_limit_count(access->guess_limit, WHO(question));
    return ACCESS_UNAUTHENTICATED;
}

/* A robot's password is checked at once, because its digest is fast, but not if the file must be read first. */
static enum access_verdict authenticate_robot(const struct access *access, const struct access_question *question,
                                              struct access_answer *ret)
{
    char user[PRINCIPAL_NAME_MAX + 1];

    snprintf(user, sizeof(user), "%.*s", (int)question->user->size, (const char *)question->user->data);
    if (question->may_wait)
        robots_file_refresh(access->robots);
    else if (!robots_file_is_current(access->robots))
        return ACCESS_WOULD_WAIT;
    switch (robots_file_check(access->robots, user, question->password)) {
    case ROBOTS_GRANTED:
        return grant(access, question, ret);
    case ROBOTS_EXPIRED: /* not a guess */
        return ACCESS_UNAUTHENTICATED;
    case ROBOTS_NO_MEMORY:
        return ACCESS_FAILED;
    default:
        return deny(access, question);
    }
}

static bool is_robot(const struct access *access, const char *name, size_t size)
{
    size_t prefix = strlen(ROBOT_USER_PREFIX);

    return access->robots && size >= prefix && memcmp(name, ROBOT_USER_PREFIX, prefix) == 0;
}

static bool has_usable_name(const struct secbuf *user)
{
    return user->size <= PRINCIPAL_NAME_MAX && !memchr(user->data, '\0', user->size);
}

/* --- who asks --------------------------------------------------------------------------- */

/*
 * A client that has guessed too often gets no verdict, even on a password that is remembered, because the verdict would
 * tell it that the password is right. If the user has logged in from the same network lately, a remembered
 * password is accepted, so that a guesser cannot lock out the others behind one address.
 */
static enum access_verdict authenticate_password(const struct access *access, const struct access_question *question,
                                                 struct access_answer *ret)
{
    enum auth_verdict verdict;

    if (!has_usable_name(question->user))
        return ACCESS_UNAUTHENTICATED;
    if (access->guess_limit)
        ret->wait_ms = guess_limit_get_wait(access->guess_limit, WHO(question));
    if (ret->wait_ms > 0 && !guess_limit_has_login(access->guess_limit, WHO(question)))
        return ACCESS_LIMITED;
    if (is_robot(access, (const char *)question->user->data, question->user->size))
        return authenticate_robot(access, question, ret);
    verdict = authenticator_look_up(access->authenticator, question->user, question->password);
    if (verdict == AUTH_GRANTED)
        return grant(access, question, ret);
    if (ret->wait_ms > 0)
        return ACCESS_LIMITED;
    if (verdict == AUTH_UNKNOWN && !question->may_wait)
        return ACCESS_WOULD_WAIT;
    if (verdict == AUTH_UNKNOWN)
        verdict = authenticator_verify(access->authenticator, question->user, question->password);
    if (verdict == AUTH_UNKNOWN)
        return ACCESS_FAILED;
    return verdict == AUTH_GRANTED ? grant(access, question, ret) : deny(access, question);
}

static const char token_user[] = "<token>"; /* as clients call what is no user */

static bool is_named(const struct secbuf *user, const char *name)
{
    return user && user->size == strlen(name) && memcmp(user->data, name, user->size) == 0;
}

bool access_has_bearer(const struct access *access)
{
    return access->tokens || access->external;
}

bool access_is_identity_token(const struct access *access, const struct secbuf *user)
{
    return access->tokens && is_named(user, token_user);
}

/* The stamps of credentials that tokens are compared with must be those of the file as it is now. */
static bool has_current_users(const struct access *access, const struct access_question *question)
{
    if (!question->may_wait)
        return authenticator_is_current(access->authenticator) &&
               (!access->robots || robots_file_is_current(access->robots));
    authenticator_refresh(access->authenticator);
    if (access->robots)
        robots_file_refresh(access->robots);
    return true;
}

/* The digest of a robot's password, as long as the password is valid. */
static bool find_stamp_of_robot(const struct access *access, const char *user, unsigned char ret[TOKEN_STAMP_SIZE])
{
    CLEANUP(robots_unrefp) struct robots *robots = robots_file_get_robots(access->robots);
    const struct robot *robot = robots_find_user(robots, user);

    if (!robot || robot->expires_s <= (int64_t)time(NULL))
        return false;
    memcpy(ret, robot->digest.hex, TOKEN_STAMP_SIZE);
    return true;
}

bool access_find_stamp(const struct access *access, const char *user, unsigned char ret[TOKEN_STAMP_SIZE])
{
    if (is_robot(access, user, strlen(user)))
        return find_stamp_of_robot(access, user, ret);
    return authenticator_find_stamp(access->authenticator, user, ret);
}

/* Nobody guesses a token, so wrong ones do not count. *ret_token is the caller's. */
static enum access_verdict authenticate_token(const struct access *access, const struct access_question *question,
                                              struct access_answer *ret, struct verified_token **ret_token)
{
    enum token_kind kind = question->bearer ? TOKEN_ACCESS : TOKEN_IDENTITY;
    const struct secbuf *text = question->bearer ? question->bearer : question->password;
    int r;

    if (!access->tokens)
        return ACCESS_UNAUTHENTICATED;
    if (!has_current_users(access, question))
        return ACCESS_WOULD_WAIT;
    if (question->may_wait)
        r = tokens_verify(access->tokens, kind, text, question->address, ret_token, question->err);
    else if (kind == TOKEN_IDENTITY && question->needs_fresh)
        r = TOKENS_WOULD_WAIT;
    else
        r = tokens_look_up(access->tokens, kind, text, ret_token);
    if (r == TOKENS_WOULD_WAIT)
        return ACCESS_WOULD_WAIT;
    ret->is_token_invalid = r == TOKENS_INVALID && question->bearer;
    if (r != 0)
        return r < 0 ? ACCESS_FAILED : ACCESS_UNAUTHENTICATED;
    snprintf(ret->principal.name, sizeof(ret->principal.name), "%s", (*ret_token)->user);
    return ACCESS_GRANTED;
}

/* Of another server. What the token gives is all that its user may do. */
static enum access_verdict authenticate_external(const struct access *access, const struct access_question *question,
                                                 struct access_answer *ret, struct verified_token **ret_token)
{
    int r;

    if (!question->bearer)
        return ACCESS_UNAUTHENTICATED;
    if (question->may_wait)
        r = external_tokens_verify(access->external, question->bearer, ret_token);
    else
        r = external_tokens_look_up(access->external, question->bearer, ret_token);
    if (r == EXTERNAL_TOKENS_WOULD_WAIT)
        return ACCESS_WOULD_WAIT;
    ret->is_token_invalid = r == EXTERNAL_TOKENS_INVALID;
    if (r != 0)
        return r < 0 ? ACCESS_FAILED : ACCESS_UNAUTHENTICATED;
    snprintf(ret->principal.name, sizeof(ret->principal.name), "%s", (*ret_token)->user);
    return ACCESS_GRANTED;
}

static enum access_verdict verdict_of_oidc(int r)
{
    if (r == OIDC_WOULD_WAIT)
        return ACCESS_WOULD_WAIT;
    return r == 0 ? ACCESS_GRANTED : r < 0 ? ACCESS_FAILED : ACCESS_UNAUTHENTICATED;
}

/*
 * A pipeline's token in the place of a password. False if the password is not such a token. Nobody guesses a
 * token, so wrong ones do not count.
 */
static bool authenticate_oidc(const struct access *access, const struct access_question *question, struct access_answer *ret,
                              struct verified_token **ret_token, enum access_verdict *ret_verdict)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    struct oidc *oidc;
    int r = OIDC_WOULD_WAIT;

    if (!access->rules || !oidc_may_be_token(question->user, question->password))
        return false;
    if (question->may_wait)
        access_file_refresh(access->rules);
    rules = access_file_get_rules(access->rules);
    oidc = rules_get_oidc(rules);
    if (!oidc)
        return false;
    if (question->may_wait)
        r = oidc_verify(oidc, question->user, question->password, ret_token);
    else if (access_file_is_current(access->rules))
        r = oidc_look_up(oidc, question->user, question->password, ret_token);
    if (r == OIDC_NO_TOKEN)
        return false;
    *ret_verdict = verdict_of_oidc(r);
    if (r == 0)
        snprintf(ret->principal.name, sizeof(ret->principal.name), "%s", (*ret_token)->user);
    return true;
}

static enum access_verdict authenticate(const struct access *access, const struct access_question *question,
                                        struct access_answer *ret, struct verified_token **ret_token)
{
    enum access_verdict verdict;

    if (access->external)
        return authenticate_external(access, question, ret, ret_token);
    if (question->bearer || access_is_identity_token(access, question->user))
        return authenticate_token(access, question, ret, ret_token);
    if (authenticate_oidc(access, question, ret, ret_token, &verdict))
        return verdict;
    return authenticate_password(access, question, ret);
}

/* --- what they may do ------------------------------------------------------------------- */

static bool is_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* The actions of which one is enough. */
static unsigned actions_of(const struct access_scope *scope)
{
    if (is_text(scope->action, "pull"))
        return RULES_PULL;
    if (is_text(scope->action, "push"))
        return RULES_PUSH | RULES_PUSH_NEW;
    return scope->is_cancel ? RULES_DELETE | RULES_PUSH | RULES_PUSH_NEW : RULES_DELETE;
}

static unsigned decide(const struct rules *rules, const struct principal *principal, const char *repository,
                       unsigned actions)
{
    struct rules_answer answer;

    rules_decide(rules, &(struct rules_question){principal->name, repository, actions}, &answer);
    return answer.granted;
}

/* The rules that restrict a principal; both NULL if nothing does. */
struct restrictions {
    struct rules *rules;
    struct robots *robots; /* of a robot: it may do what either gives */
};

static void restrictions_done(struct restrictions *restrictions)
{
    rules_unref(restrictions->rules);
    robots_unref(restrictions->robots);
}

static void restrictions_get(const struct access *access, const struct principal *principal, struct restrictions *ret)
{
    bool is_of_robot = is_robot(access, principal->name, strlen(principal->name));

    *ret = (struct restrictions){
        .rules = access->rules ? access_file_get_rules(access->rules) : NULL,
        .robots = is_of_robot ? robots_file_get_robots(access->robots) : NULL,
    };
}

static unsigned decide_all(const struct restrictions *restrictions, const struct principal *principal, const char *repository,
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
static bool do_rules_allow(const struct restrictions *restrictions, const struct access_scope *scope, struct access_answer *ret)
{
    unsigned granted;

    if (is_catalog(scope))
        return true;
    granted = decide_all(restrictions, &ret->principal, scope->name, actions_of(scope));
    if (is_text(scope->action, "push"))
        ret->is_new_tags_only = !(granted & RULES_PUSH);
    return granted != 0;
}

/* The scope of the token for this repository; NULL if the client did not ask for it when it fetched the token. */
static const struct scope *find_in_token(const struct verified_token *token, const struct access_scope *scope)
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
 * Both the token and the rules must allow a scope. A token that was not fetched for a repository does not find out
 * what the rules say about it.
 */
static enum access_verdict decide_scope(const struct restrictions *restrictions, const struct verified_token *token,
                                        const struct access_scope *scope, struct access_answer *ret)
{
    bool is_in_token = does_token_allow(token, scope);

    if (!is_in_token && !find_in_token(token, scope))
        return ACCESS_UNAUTHENTICATED;
    if (!do_rules_allow(restrictions, scope, ret))
        return ACCESS_DENIED;
    return is_in_token ? ACCESS_GRANTED : ACCESS_UNAUTHENTICATED;
}

/* False if a file has changed, and the caller must not wait. */
static bool get_current(const struct access *access, const struct principal *principal, bool may_wait,
                        struct restrictions *ret)
{
    if (access->rules && may_wait)
        access_file_refresh(access->rules);
    else if (access->rules && !access_file_is_current(access->rules))
        return false;
    restrictions_get(access, principal, ret);
    return true;
}

static bool are_any(const struct restrictions *restrictions)
{
    return restrictions->rules || restrictions->robots;
}

/* All required scopes are looked at, so that the time does not tell which one was refused. */
static enum access_verdict authorize(const struct access *access, const struct access_question *question,
                                     const struct verified_token *token, struct access_answer *ret)
{
    CLEANUP(restrictions_done) struct restrictions restrictions = {0};
    enum access_verdict verdict = ACCESS_GRANTED;

    if (!get_current(access, &ret->principal, question->may_wait, &restrictions))
        return ACCESS_WOULD_WAIT;
    ret->may_mount = !are_any(&restrictions) && !(token && token->is_limited);
    for (size_t i = 0; i < question->scope_count; i++) {
        enum access_verdict one = decide_scope(&restrictions, token, &question->scopes[i], ret);

        if (question->scopes[i].is_optional)
            ret->may_mount = one == ACCESS_GRANTED;
        else if (one == ACCESS_UNAUTHENTICATED || verdict == ACCESS_GRANTED)
            verdict = one;
    }
    ret->is_scope_missing = verdict == ACCESS_UNAUTHENTICATED;
    return verdict;
}

/* podman and skopeo send an empty name with an empty password if they know no login. */
static bool is_anonymous(const struct access_question *question)
{
    return !question->user || (question->user->size == 0 && question->password->size == 0);
}

/* For somebody without a login, the answer to a denial is that a login might help. */
static enum access_verdict hide_denial(const struct access_answer *answer, enum access_verdict verdict)
{
    return verdict == ACCESS_DENIED && !*answer->principal.name ? ACCESS_UNAUTHENTICATED : verdict;
}

/* A request without credentials, which is not asked for them only if the rules allow it to everybody. */
static enum access_verdict check_anonymous(const struct access *access, const struct access_question *question,
                                           struct access_answer *ret)
{
    CLEANUP(rules_unrefp) struct rules *rules = access->rules ? access_file_get_rules(access->rules) : NULL;

    if (!rules || !rules_have_anonymous(rules) || question->scope_count == 0)
        return ACCESS_UNAUTHENTICATED;
    return hide_denial(ret, authorize(access, question, NULL, ret));
}

enum access_verdict access_check(const struct access *access, const struct access_question *question,
                                 struct access_answer *ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    bool is_open = !access->authenticator && !access->external;
    enum access_verdict verdict;

    *ret = (struct access_answer){.may_mount = is_open};
    if (is_open)
        return ACCESS_GRANTED;
    if (!question->bearer && is_anonymous(question))
        return check_anonymous(access, question, ret);
    verdict = authenticate(access, question, ret, &token);
    return verdict == ACCESS_GRANTED ? hide_denial(ret, authorize(access, question, token, ret)) : verdict;
}

/* Removes what the rules do not allow. Returns whether anything is left. */
static bool restrict_scopes(const struct restrictions *restrictions, const struct principal *principal,
                            struct scopes *scopes)
{
    bool is_anything = scopes->has_catalog;

    for (size_t i = 0; i < scopes->count; i++) {
        struct scope *scope = &scopes->items[i];
        unsigned granted = decide_all(restrictions, principal, scope->name, scope->actions | RULES_PUSH_NEW);

        if (granted & RULES_PUSH_NEW)
            granted |= RULES_PUSH;
        scope->actions &= granted;
        is_anything |= scope->actions != 0;
    }
    return is_anything;
}

enum access_verdict access_grant(const struct access *access, const struct access_question *question,
                                 struct scopes *scopes, struct access_answer *ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    CLEANUP(restrictions_done) struct restrictions restrictions = {0};
    enum access_verdict verdict = ACCESS_GRANTED;
    bool is_anything;

    *ret = (struct access_answer){0};
    if (!is_anonymous(question))
        verdict = authenticate(access, question, ret, &token);
    if (verdict != ACCESS_GRANTED)
        return verdict;
    ret->is_password = !token;
    if (!get_current(access, &ret->principal, question->may_wait, &restrictions))
        return ACCESS_WOULD_WAIT;
    is_anything = restrict_scopes(&restrictions, &ret->principal, scopes);
    if (*ret->principal.name)
        return ACCESS_GRANTED;
    return restrictions.rules && rules_have_anonymous(restrictions.rules) && is_anything ? ACCESS_GRANTED
                                                                                        : ACCESS_UNAUTHENTICATED;
}

bool access_is_restricted(const struct access *access, const struct principal *principal)
{
    return access->rules || is_robot(access, principal->name, strlen(principal->name));
}

bool access_may_pull(const struct access *access, const struct principal *principal, const char *repository)
{
    CLEANUP(restrictions_done) struct restrictions restrictions = {0};

    restrictions_get(access, principal, &restrictions);
    return decide_all(&restrictions, principal, repository, RULES_PULL) != 0;
}

bool access_is_tag_immutable(const struct access *access, const char *repository, const char *tag)
{
    CLEANUP(rules_unrefp) struct rules *rules = access->rules ? access_file_get_rules(access->rules) : NULL;

    return rules && rules_is_tag_immutable(rules, repository, tag);
}
