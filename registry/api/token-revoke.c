/*
 * Ends an identity token (RFC 7009): the client that has it signs out. Whoever has the token may do
 * everything with it, so it is the only credential. The answer is 200 also if the token is unknown.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/form-body.h"
#include "registry/api/token-form.h"

struct revoke_call {
    struct form_body form;
    struct secbuf token;
};

static enum http_result begin_revoke(struct call *call, struct response *response)
{
    struct revoke_call *state = call->state = calloc(1, sizeof(*state));

    call->request->is_admitted = false; /* only a small body is accepted */
    if (state)
        form_body_begin(call, response, &state->form);
    else
        response_fail_oom(response);
    return HTTP_DONE;
}

static enum http_result receive_revoke(struct call *call, const void *data, size_t size)
{
    struct revoke_call *state = call->state;

    form_body_receive(&state->form, data, size);
    return HTTP_MORE;
}

static bool take_token(struct call *call, struct response *response)
{
    struct revoke_call *state = call->state;
    const char *text, *why;
    int r = form_body_get(&state->form, &text, &why);

    if (r == 0) {
        why = "the parameter token is missing, malformed or repeated";
        r = token_form_parse_revocation(text, &state->token);
    }
    form_body_done(call, &state->form);
    return form_body_accept(response, r, why);
}

static enum http_result answer_revoke(struct call *call, struct response *response)
{
    struct revoke_call *state = call->state;
    struct error err = {0};

    if (!call_is_on_worker(call))
        return take_token(call, response) ? call_move(call) : HTTP_DONE;
    if (tokens_revoke(call->api->access->tokens, &state->token, &err) < 0) {
        response_fail(response, &err);
        return HTTP_DONE;
    }
    response->status = 200;
    response_add_header(response, "Cache-Control", "no-store");
    return HTTP_DONE;
}

static void release_revoke(struct call *call)
{
    struct revoke_call *state = call->state;

    if (!state)
        return;
    form_body_done(call, &state->form);
    secbuf_done(&state->token);
    free(state);
    call->state = NULL;
}

const struct endpoint endpoint_token_revoke = {
    .begin = begin_revoke,
    .receive = receive_revoke,
    .answer = answer_revoke,
    .release = release_revoke,
};
