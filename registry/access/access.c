/*
 * First who asks (authenticate), then whether the rules allow what they ask for (authorize).
 */
#include "registry/access/access.h"

#include <stdio.h>
#include <string.h>

#include "common/monotonic.h"

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
static enum access_verdict authenticate(const struct access *access, const struct access_question *question,
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

/* What restricts a principal; both NULL: nothing does. */
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

/* The catalog lists what the principal may pull, so everybody may ask for it. */
static bool is_allowed(const struct restrictions *restrictions, const struct access_scope *scope, struct access_answer *ret)
{
    unsigned granted;

    if (scope->is_optional || is_text(scope->type, "registry"))
        return true;
    granted = decide_all(restrictions, &ret->principal, scope->name, actions_of(scope));
    if (is_text(scope->action, "push"))
        ret->is_new_tags_only = !(granted & RULES_PUSH);
    return granted != 0;
}

static enum access_verdict authorize(const struct access *access, const struct access_question *question,
                                     struct access_answer *ret)
{
    CLEANUP(restrictions_done) struct restrictions restrictions = {0};
    bool is_allowed_all = true;

    if (access->rules && question->may_wait)
        access_file_refresh(access->rules);
    else if (access->rules && !access_file_is_current(access->rules))
        return ACCESS_WOULD_WAIT;
    restrictions_get(access, &ret->principal, &restrictions);
    for (size_t i = 0; i < question->scope_count; i++)
        is_allowed_all &= is_allowed(&restrictions, &question->scopes[i], ret);
    return is_allowed_all ? ACCESS_GRANTED : ACCESS_DENIED;
}

/* podman and skopeo send an empty name with an empty password if they know no login. */
static bool is_anonymous(const struct access_question *question)
{
    return !question->user || (question->user->size == 0 && question->password->size == 0);
}

/* A request without credentials, which is not asked for them only if the rules allow it to everybody. */
static enum access_verdict check_anonymous(const struct access *access, const struct access_question *question,
                                           struct access_answer *ret)
{
    CLEANUP(rules_unrefp) struct rules *rules = access->rules ? access_file_get_rules(access->rules) : NULL;
    enum access_verdict verdict;

    if (!rules || !rules_have_anonymous(rules) || question->scope_count == 0)
        return ACCESS_UNAUTHENTICATED;
    verdict = authorize(access, question, ret);
    return verdict == ACCESS_DENIED ? ACCESS_UNAUTHENTICATED : verdict;
}

enum access_verdict access_check(const struct access *access, const struct access_question *question,
                                 struct access_answer *ret)
{
    enum access_verdict verdict;

    *ret = (struct access_answer){0};
    if (!access->authenticator)
        return ACCESS_GRANTED;
    if (is_anonymous(question))
        return check_anonymous(access, question, ret);
    verdict = authenticate(access, question, ret);
    return verdict == ACCESS_GRANTED ? authorize(access, question, ret) : verdict;
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
