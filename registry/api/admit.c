/*
 * Who asks, and may they? A password that was verified before is known at once; any other is checked
 * on a worker, since one bcrypt takes as long as thousands of requests.
 */
#include "registry/api/admit.h"

#include <stdio.h>
#include <string.h>

#include "registry/api/api.h"
#include "registry/api/fairness.h"
#include "registry/api/refusal.h"
#include "registry/api/report.h"
#include "registry/api/routes.h"
#include "registry/spec/basic.h"

/* Which resources a 401 names, in registry:2's words: null outside of a repository. */
static void format_detail(const struct access_scope *scopes, size_t count, char *ret_detail, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(ret_detail + used, size - used,
                                 "%c{\"Type\":\"%s\",\"Class\":\"\",\"Name\":\"%s\",\"Action\":\"%s\"}",
                                 i ? ',' : '[', scopes[i].type, scopes[i].name, scopes[i].action);
    if (used < size)
        snprintf(ret_detail + used, size - used, count ? "]" : "null");
}

static void challenge(const struct call *call, struct response *response, const struct access_scope *scopes, size_t count)
{
    char detail[1200];

    format_detail(scopes, count, detail, sizeof(detail));
    response_refuse(response, ERROR_CODE_UNAUTHORIZED, detail);
    response_add_header(response, "WWW-Authenticate", "Basic realm=\"%s\"", call->api->realm);
}

/* A user whom no rule allows this; the answer is the same whether there is such a repository or not. */
static void deny(struct response *response, const struct access_scope *scopes, size_t count)
{
    char detail[1200];

    format_detail(scopes, count, detail, sizeof(detail));
    response_refuse(response, ERROR_CODE_DENIED, detail);
}

/*
 * The password leaves the header, because what is there would outlive the request in memory. False for credentials that
 * cannot be read: their sender does not mean to be anonymous.
 */
static bool take_credentials(struct call *call)
{
    const char *header = call_get_header(call, "Authorization");
    int r;

    if (!header)
        return true;
    r = basic_parse(header, strlen(header), &call->user, &call->password);
    if (r != 0)
        secbuf_done(&call->user);
    explicit_bzero((char *)header, strlen(header));
    return r == 0;
}

static void refuse_guesser(struct response *response, uint64_t wait_ms)
{
    response_refuse(response, ERROR_CODE_TOOMANYREQUESTS, "\"too many wrong passwords; try again later\"");
    response_add_header(response, "Retry-After", "%ju", (uintmax_t)(wait_ms + 999) / 1000);
}

/* A guesser's many tries wait for each other, and others do not wait for them. */
static enum http_result move_to_computer(struct call *call)
{
    call->request->pool = call->api->computers;
    call->request->owner = fairness_of_credentials(call->address, &call->user);
    call->request->delay_ms = 0;
    return HTTP_ON_WORKER;
}

static void let_in(struct call *call)
{
    call->is_admitted = call->request->is_admitted = true;
    call->owner = fairness_of_call(call);
}

static void give_verdict(struct call *call, struct response *response, enum access_verdict verdict,
                         const struct access_answer *answer, const struct access_scope *scopes, size_t count)
{
    switch (verdict) {
    case ACCESS_GRANTED:
        call->principal = answer->principal;
        call->is_new_tags_only = answer->is_new_tags_only;
        let_in(call);
        break;
    case ACCESS_DENIED:
        call->principal = answer->principal; /* for the log */
        deny(response, scopes, count);
        break;
    case ACCESS_LIMITED:
        refuse_guesser(response, answer->wait_ms);
        break;
    case ACCESS_FAILED:
        response_fail_oom(response);
        break;
    default:
        challenge(call, response, scopes, count);
    }
}

enum http_result admit(struct call *call, struct response *response)
{
    struct access_scope scopes[ROUTES_SCOPES_MAX];
    char from[NAME_MAX_SIZE + 1];
    struct access_question question = {.address = call->address, .scopes = scopes,
                                       .may_wait = call_is_on_worker(call)};
    struct access_answer answer;
    enum access_verdict verdict;

    if (routes_is_public(call->route.kind)) {
        let_in(call);
        return HTTP_DONE;
    }
    question.scope_count = routes_find_scopes(call, scopes, from);
    if (!call_is_on_worker(call) && !take_credentials(call)) {
        challenge(call, response, scopes, question.scope_count);
        return HTTP_DONE;
    }
    if (call->user.data) {
        question.user = &call->user;
        question.password = &call->password;
    }
    verdict = access_check(call->api->access, &question, &answer);
    if (verdict == ACCESS_WOULD_WAIT)
        return move_to_computer(call);
    secbuf_done(&call->password);
    if (verdict == ACCESS_UNAUTHENTICATED && call->user.size > 0)
        report_failed_login(call, &call->user);
    secbuf_done(&call->user);
    give_verdict(call, response, verdict, &answer, scopes, question.scope_count);
    return HTTP_DONE;
}
