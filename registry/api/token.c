/*
 * The token server (docs/tokens.md). A request passes stages, each on a suitable thread: its
 * credentials are checked like those of any other request, an identity token is written to the
 * storage if the client asks for one, and the access token is signed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rfc3339.h"
#include "registry/api/admit.h"
#include "registry/api/answer.h"
#include "registry/api/challenge.h"
#include "registry/api/credentials.h"
#include "registry/api/endpoints.h"
#include "registry/api/form-body.h"
#include "registry/api/report.h"
#include "registry/api/token-form.h"

enum { ANSWER_EXTRA = 256 };

enum stage {
    STAGE_AUTHENTICATE,
    STAGE_MAKE, /* make the tokens */
};

/* How the client logged in; only the first two can get an identity token. */
enum login_kind {
    LOGIN_IDENTITY_TOKEN,
    LOGIN_PASSWORD,
    LOGIN_OTHER, /* with the token of another server, or not at all */
};

struct token_call {
    enum stage stage;
    struct form_body form; /* of POST */
    struct token_form asked;
    struct credentials credentials;
    enum login_kind login;
    bool has_stamp; /* the credentials that the client used have a stamp */
    unsigned char stamp[TOKEN_STAMP_SIZE];
    struct scopes granted;
};

static struct token_call *state_of(const struct call *call)
{
    return call->state;
}

/* --- receiving ------------------------------------------------------------------------------ */

static enum http_result begin_token(struct call *call, struct response *response)
{
    /* the client is not authenticated, so only a small body is accepted */
    call->request->is_admitted = false;
    call->state = calloc(1, sizeof(struct token_call));
    if (!call->state)
        response_fail_oom(response);
    return HTTP_DONE;
}

static enum http_result begin_form(struct call *call, struct response *response)
{
    enum http_result result = begin_token(call, response);

    if (call->state)
        form_body_begin(call, response, &state_of(call)->form);
    return result;
}

static enum http_result receive_form(struct call *call, const void *data, size_t size)
{
    form_body_receive(&state_of(call)->form, data, size);
    return HTTP_MORE;
}

/* --- answers -------------------------------------------------------------------------------- */

static ssize_t read_answer(void *object, uint64_t offset, void *ret_data, size_t size)
{
    const struct secbuf *text = object;
    size_t left = offset < text->size ? text->size - (size_t)offset : 0;

    if (size > left)
        size = left;
    memcpy(ret_data, text->data + offset, size);
    return (ssize_t)size;
}

static void close_answer(void *object)
{
    secbuf_done(object);
    free(object);
}

static int add_text(struct secbuf *text, const char *more)
{
    return secbuf_append(text, more, strlen(more));
}

static int add_member(struct secbuf *text, const char *name, const struct secbuf *value)
{
    int r = add_text(text, name);

    if (r == 0)
        r = secbuf_append(text, value->data, value->size);
    return r < 0 ? r : add_text(text, "\"");
}

/* Tokens need no escaping in JSON. */
static int format_answer(const struct secbuf *access, const struct secbuf *identity,
                         int64_t issued_s, struct secbuf *ret)
{
    char rest[ANSWER_EXTRA], issued[RFC3339_SIZE];
    int r = secbuf_reserve(ret, 2 * access->size + identity->size + ANSWER_EXTRA);

    rfc3339_format(issued_s, issued);
    snprintf(rest, sizeof(rest), ",\"expires_in\":%d,\"issued_at\":\"%s\"", TOKENS_LIFE_S, issued);
    if (r == 0)
        r = add_member(ret, "{\"token\":\"", access);
    if (r == 0)
        r = add_member(ret, ",\"access_token\":\"", access);
    if (r == 0)
        r = add_text(ret, rest);
    if (r == 0 && identity->size > 0)
        r = add_member(ret, ",\"refresh_token\":\"", identity);
    return r < 0 ? r : add_text(ret, "}\n");
}

/* The answer is wiped when it has been sent. */
static int send_answer(struct response *response, const struct secbuf *access,
                       const struct secbuf *identity, int64_t issued_s)
{
    struct secbuf *text = calloc(1, sizeof(*text));
    struct response_source source = {.object = text, .read = read_answer, .close = close_answer};

    if (!text)
        return -ENOMEM;
    if (format_answer(access, identity, issued_s, text) < 0) {
        close_answer(text);
        return -ENOMEM;
    }
    response_set_source(response, &source, text->size, "application/json; charset=utf-8", NULL, 0);
    response_add_header(response, "Cache-Control", "no-store");
    return 0;
}

/* --- making tokens -------------------------------------------------------------------------- */

/* If r is a failure, sets the response and returns true. */
static bool fail_to_make(struct response *response, int r, const struct error *err)
{
    if (r == TOKENS_NAME_UNUSABLE)
        form_body_refuse(response, 400,
                    "the user's name is not valid UTF-8, so a token cannot contain it");
    else if (r == -ENOMEM)
        response_fail_oom(response);
    else if (r < 0)
        response_fail(response, err);
    return r == TOKENS_NAME_UNUSABLE || r < 0;
}

/*
 * Issues an identity token for a login with a password. A client that has an identity token keeps
 * it. A token of another kind, such as a CI job's, gets none, because the identity token would
 * outlive it.
 */
static bool make_identity(struct call *call, struct response *response, struct secbuf *ret_token)
{
    const struct token_call *state = state_of(call);
    const struct token_login login = {
        .user = call->principal.name,
        .client = state->asked.client,
        .address = call->address,
        .stamp = state->stamp,
    };
    struct error err = {0};
    int r;

    if (!state->asked.wants_identity || state->login == LOGIN_OTHER)
        return true;
    if (state->login == LOGIN_IDENTITY_TOKEN)
        r = secbuf_append(ret_token, state->credentials.password.data,
                          state->credentials.password.size);
    else
        r = tokens_log_in(call->api->access->tokens, &login, ret_token, &err);
    return !fail_to_make(response, r, &err);
}

static enum http_result make_tokens(struct call *call, struct response *response)
{
    const struct token_call *state = state_of(call);
    CLEANUP(secbuf_done) struct secbuf access = {0}, identity = {0};
    struct tokens *tokens = call->api->access->tokens;
    const struct token_grant grant = {
        .user = call->principal.name,
        .scopes = &state->granted,
        .stamp = state->has_stamp ? state->stamp : NULL,
        .issued_s = tokens_now(tokens),
    };
    struct error err = {0};
    int r;

    if (!make_identity(call, response, &identity))
        return HTTP_DONE;
    r = tokens_issue(tokens, &grant, &access);
    if (r == 0)
        r = send_answer(response, &access, &identity, grant.issued_s);
    (void)fail_to_make(response, r, &err);
    return HTTP_DONE;
}

/*
 * Moves to a thread for making tokens: signing takes as long as several requests, and storing an
 * identity token waits for the disk.
 */
static enum http_result move_to_maker(struct call *call, struct response *response)
{
    const struct token_call *state = state_of(call);
    bool waits = state->asked.wants_identity && state->login != LOGIN_IDENTITY_TOKEN;

    if (waits && (!call_is_on_worker(call) || call_is_on_computer(call)))
        return call_move(call);
    if (!call_is_on_worker(call))
        return call_move_to_signer(call);
    return make_tokens(call, response);
}

/* --- authenticating the client -------------------------------------------------------------- */

static void challenge_for_login(const struct call *call, struct response *response)
{
    response_refuse(response, ERROR_CODE_UNAUTHORIZED, "null");
    challenge_add_basic(call, response);
}

static void refuse_client(struct call *call, struct response *response, enum access_verdict verdict,
                          const struct access_answer *answer, const struct error *err)
{
    const struct secbuf *user = &state_of(call)->credentials.user;

    if (verdict == ACCESS_LIMITED) {
        admit_refuse_guesser(response, answer->wait_ms);
    } else if (verdict == ACCESS_FAILED) {
        admit_fail(response, err);
    } else {
        if (user->size > 0)
            report_failed_login(call, user);
        challenge_for_login(call, response);
    }
}

static enum http_result authenticate_client(struct call *call, struct response *response)
{
    struct token_call *state = state_of(call);
    const struct access *access = call->api->access;
    struct error err = {0};
    struct access_question question = {
        .address = call->address,
        .needs_fresh = true,
        .err = &err,
        .may_wait = call_is_on_worker(call),
    };
    struct access_answer answer;
    enum access_verdict verdict;

    credentials_ask(&state->credentials, &question);
    verdict = access_grant(access, &question, &state->asked.scopes, &answer);
    if (verdict == ACCESS_WOULD_WAIT)
        return credentials_move(call, &state->credentials);
    call->principal = answer.principal;
    call->has_owner = false; /* it was the client network; from here on it is the user */
    if (verdict != ACCESS_GRANTED) {
        refuse_client(call, response, verdict, &answer, &err);
        return HTTP_DONE;
    }
    if (access_is_identity_token(access, &state->credentials.user))
        state->login = LOGIN_IDENTITY_TOKEN;
    else
        state->login = answer.is_password && answer.has_stamp ? LOGIN_PASSWORD : LOGIN_OTHER;
    state->has_stamp = answer.has_stamp;
    memcpy(state->stamp, answer.stamp, sizeof(state->stamp));
    if (state->login != LOGIN_IDENTITY_TOKEN)
        credentials_done(&state->credentials);
    state->granted = state->asked.scopes;
    state->asked.scopes = (struct scopes){0};
    state->stage = STAGE_MAKE;
    return move_to_maker(call, response);
}

/* --- the phases ----------------------------------------------------------------------------- */

static enum http_result run_stages(struct call *call, struct response *response)
{
    if (state_of(call)->stage == STAGE_AUTHENTICATE)
        return authenticate_client(call, response);
    return move_to_maker(call, response);
}

static enum http_result answer_get(struct call *call, struct response *response)
{
    struct token_call *state = state_of(call);
    const char *why = NULL;
    int r;

    if (call_is_on_worker(call))
        return run_stages(call, response);
    if (!credentials_take(call, &state->credentials) || state->credentials.bearer.data) {
        challenge_for_login(call, response);
        return HTTP_DONE;
    }
    r = token_form_parse(call->query, tokens_get_service(call->api->access->tokens), &state->asked,
                         &why);
    return form_body_accept(response, r, why) ? run_stages(call, response) : HTTP_DONE;
}

static enum http_result answer_post(struct call *call, struct response *response)
{
    struct token_call *state = state_of(call);
    const char *why, *text;
    int r;

    if (call_is_on_worker(call))
        return run_stages(call, response);
    r = form_body_get(&state->form, &text, &why);
    if (r == 0)
        r = token_form_parse_credentials(text, &state->credentials, &why);
    if (r == 0)
        r = token_form_parse(text, tokens_get_service(call->api->access->tokens), &state->asked,
                             &why);
    form_body_done(call, &state->form);
    return form_body_accept(response, r, why) ? run_stages(call, response) : HTTP_DONE;
}

static void release_token(struct call *call)
{
    struct token_call *state = state_of(call);

    if (!state)
        return;
    form_body_done(call, &state->form);
    credentials_done(&state->credentials);
    token_form_done(&state->asked);
    scopes_done(&state->granted);
    explicit_bzero(state->stamp, sizeof(state->stamp));
    free(state);
    call->state = NULL;
}

const struct endpoint endpoint_token_get = {
    .begin = begin_token,
    .answer = answer_get,
    .release = release_token,
};
const struct endpoint endpoint_token_post = {
    .begin = begin_form,
    .receive = receive_form,
    .answer = answer_post,
    .release = release_token,
};
