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

static bool has_usable_name(const struct secbuf *user)
{
    return user->size <= PRINCIPAL_NAME_MAX && !memchr(user->data, '\0', user->size);
}

/*
 * A client that has guessed too often gets no verdict, even on a password that is remembered: the verdict would tell that
 * it is right. Where the user has logged in from the same network lately, a remembered password is let through, so
 * that a guesser cannot keep out the others behind one address.
 */
enum access_verdict access_check(const struct access *access, const struct access_question *question,
                                 struct access_answer *ret)
{
    enum auth_verdict verdict;

    *ret = (struct access_answer){0};
    if (!access->authenticator)
        return ACCESS_GRANTED;
    if (!question->user || !has_usable_name(question->user))
        return ACCESS_UNAUTHENTICATED;
    if (access->guess_limit)
        ret->wait_ms = guess_limit_get_wait(access->guess_limit, WHO(question));
    if (ret->wait_ms > 0 && !guess_limit_has_login(access->guess_limit, WHO(question)))
        return ACCESS_LIMITED;
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
