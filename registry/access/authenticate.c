/*
 * Finds out who sends a request, by a password, an identity token, an access token, or a pipeline's
 * OIDC token.
 */
#include "registry/access/authenticate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/monotonic.h"
#include "registry/access/oidc.h"

/* The question's address and user, and the time: arguments of the functions of guess_limit. */
#define WHO(question)                                                                              \
    (question)->address, (question)->user->data, (question)->user->size, (uint64_t)monotonic_ms()

static void copy_name(const struct secbuf *user, char ret_name[PRINCIPAL_NAME_MAX + 1])
{
    size_t size = user->size < PRINCIPAL_NAME_MAX ? user->size : PRINCIPAL_NAME_MAX;

    memcpy(ret_name, user->data, size);
    ret_name[size] = '\0';
}

static enum access_verdict grant(const struct access *access,
                                 const struct access_question *question, struct access_answer *ret)
{
    if (access->guess_limit)
        guess_limit_note_login(access->guess_limit, WHO(question));
    copy_name(question->user, ret->principal.name);
    return ACCESS_GRANTED;
}

static enum access_verdict deny(const struct access *access, const struct access_question *question)
{
    if (access->guess_limit)
        guess_limit_count(access->guess_limit, WHO(question));
    return ACCESS_UNAUTHENTICATED;
}

/*
 * Checks a robot's password. Its digest is fast, so event threads may do this, unless the file must
 * be read first.
 */
static enum access_verdict authenticate_robot(const struct access *access,
                                              const struct access_question *question,
                                              struct access_answer *ret)
{
    char user[PRINCIPAL_NAME_MAX + 1];

    copy_name(question->user, user);
    if (question->may_wait)
        watched_table_refresh(access->robots);
    else if (!watched_table_is_current(access->robots))
        return ACCESS_WOULD_WAIT;
    switch (robots_file_check(access->robots, user, question->password)) {
    case ROBOTS_GRANTED:
        return grant(access, question, ret);
    case ROBOTS_EXPIRED: /* not counted as a guess */
        return ACCESS_UNAUTHENTICATED;
    case ROBOTS_NO_MEMORY:
        return ACCESS_FAILED;
    default:
        return deny(access, question);
    }
}

bool access_is_robot(const struct access *access, const char *name, size_t size)
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
 * A client that has guessed too often gets no verdict, not even on a cached password, because the
 * verdict would reveal that the password is right. If the user has recently logged in from the same
 * network, a cached password is accepted, so that a guesser cannot lock out others behind the same
 * address.
 */
static enum access_verdict authenticate_password(const struct access *access,
                                                 const struct access_question *question,
                                                 struct access_answer *ret)
{
    enum auth_verdict verdict;

    if (!has_usable_name(question->user))
        return ACCESS_UNAUTHENTICATED;
    if (access->guess_limit)
        ret->wait_ms = guess_limit_get_wait(access->guess_limit, WHO(question));
    if (ret->wait_ms > 0 && !guess_limit_has_login(access->guess_limit, WHO(question)))
        return ACCESS_LIMITED;
    if (access_is_robot(access, (const char *)question->user->data, question->user->size))
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

static const char token_user[] = "<token>"; /* the name that clients send with an identity token */

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

/*
 * Tokens are compared with the stamps of current credentials, so the files must be up to date.
 * Returns false if they are not and the caller must not wait.
 */
static bool has_current_users(const struct access *access, const struct access_question *question)
{
    if (!question->may_wait)
        return authenticator_is_current(access->authenticator) &&
               (!access->robots || watched_table_is_current(access->robots));
    authenticator_refresh(access->authenticator);
    if (access->robots)
        watched_table_refresh(access->robots);
    return true;
}

/* The stamp is the digest of the robot's password. Returns false if the password has expired. */
static bool find_stamp_of_robot(const struct access *access, const char *user,
                                unsigned char ret[TOKEN_STAMP_SIZE])
{
    CLEANUP(robots_unrefp) struct robots *robots = robots_file_get_robots(access->robots);
    const struct robot *robot = robots_find_user(robots, user);

    if (!robot || robot->expires_s <= (int64_t)time(NULL))
        return false;
    memcpy(ret, robot->digest.hex, TOKEN_STAMP_SIZE);
    return true;
}

bool access_find_stamp(const struct access *access, const char *user,
                       unsigned char ret[TOKEN_STAMP_SIZE])
{
    if (access_is_robot(access, user, strlen(user)))
        return find_stamp_of_robot(access, user, ret);
    return authenticator_find_stamp(access->authenticator, user, ret);
}

/*
 * Wrong tokens do not count as guesses, because nobody can guess one. *ret_token is owned by the
 * caller.
 */
static enum access_verdict authenticate_token(const struct access *access,
                                              const struct access_question *question,
                                              struct access_answer *ret,
                                              struct verified_token **ret_token)
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
    if (r == TOKENS_INVALID && question->bearer)
        ret->reason = ACCESS_TOKEN_INVALID;
    if (r != 0)
        return r < 0 ? ACCESS_FAILED : ACCESS_UNAUTHENTICATED;
    snprintf(ret->principal.name, sizeof(ret->principal.name), "%s", (*ret_token)->user);
    return ACCESS_GRANTED;
}

/*
 * Checks an access token of another server. Its user may do what the token says, and nothing else.
 */
static enum access_verdict authenticate_external(const struct access *access,
                                                 const struct access_question *question,
                                                 struct access_answer *ret,
                                                 struct verified_token **ret_token)
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
    if (r == EXTERNAL_TOKENS_INVALID)
        ret->reason = ACCESS_TOKEN_INVALID;
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
 * Checks a pipeline's token that was sent as a password. Returns false if the password is not such
 * a token. Wrong tokens do not count as guesses, because nobody can guess one.
 */
static bool authenticate_oidc(const struct access *access, const struct access_question *question,
                              struct access_answer *ret, struct verified_token **ret_token,
                              enum access_verdict *ret_verdict)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    struct oidc *oidc;
    int r = OIDC_WOULD_WAIT;

    if (!access->rules || !oidc_may_be_token(question->user, question->password))
        return false;
    if (question->may_wait)
        watched_table_refresh(access->rules);
    rules = access_file_get_rules(access->rules);
    oidc = rules_get_oidc(rules);
    if (!oidc)
        return false;
    if (question->may_wait)
        r = oidc_verify(oidc, question->user, question->password, ret_token);
    else if (watched_table_is_current(access->rules))
        r = oidc_look_up(oidc, question->user, question->password, ret_token);
    if (r == OIDC_NO_TOKEN)
        return false;
    *ret_verdict = verdict_of_oidc(r);
    if (r == 0)
        snprintf(ret->principal.name, sizeof(ret->principal.name), "%s", (*ret_token)->user);
    return true;
}

enum access_verdict access_authenticate(const struct access *access,
                                        const struct access_question *question,
                                        struct access_answer *ret,
                                        struct verified_token **ret_token)
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

/*
 * The stamp is taken before the password is checked. If the password changes in between, the new
 * token is bound to the old password and therefore invalid.
 */
enum access_verdict access_authenticate_for_token(const struct access *access,
                                                  const struct access_question *question,
                                                  struct access_answer *ret,
                                                  struct verified_token **ret_token)
{
    char user[PRINCIPAL_NAME_MAX + 1];
    enum access_verdict verdict;

    if (!has_current_users(access, question))
        return ACCESS_WOULD_WAIT;
    if (has_usable_name(question->user)) {
        copy_name(question->user, user);
        ret->has_stamp = access_find_stamp(access, user, ret->stamp);
    }
    verdict = access_authenticate(access, question, ret, ret_token);
    if (verdict != ACCESS_GRANTED)
        return verdict;
    if (*ret_token) {
        ret->has_stamp = (*ret_token)->has_stamp;
        memcpy(ret->stamp, (*ret_token)->stamp, sizeof(ret->stamp));
    }
    return *ret_token || ret->has_stamp ? ACCESS_GRANTED : ACCESS_UNAUTHENTICATED;
}
