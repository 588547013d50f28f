/*
 * Authentication and authorization. A password or token that was verified recently is accepted
 * immediately. All others are checked on a worker, because one run of bcrypt takes as long as
 * thousands of requests.
 */
#include "registry/api/admit.h"

#include "registry/api/api.h"
#include "registry/api/challenge.h"
#include "registry/api/credentials.h"
#include "registry/api/refusal.h"
#include "registry/api/report.h"
#include "registry/api/routes.h"

/*
 * Refuses a request that no rule allows. The answer does not reveal whether the repository exists.
 */
static void deny(struct response *response, const struct access_scope *scopes, size_t count)
{
    char detail[CHALLENGE_DETAIL_SIZE];

    challenge_format_detail(scopes, count, detail);
    response_refuse(response, ERROR_CODE_DENIED, detail);
}

void admit_refuse_guesser(struct response *response, uint64_t wait_ms)
{
    response_refuse(response, ERROR_CODE_TOOMANYREQUESTS,
                    "\"too many wrong passwords; try again later\"");
    response_add_header(response, "Retry-After", "%ju", (uintmax_t)(wait_ms + 999) / 1000);
}

static void let_in(struct call *call)
{
    call->is_admitted = call->request->is_admitted = true;
}

void admit_fail(struct response *response, const struct error *err)
{
    if (err->code)
        response_fail(response, err);
    else
        response_fail_oom(response);
}

static void give_verdict(struct call *call, struct response *response, enum access_verdict verdict,
                         const struct access_answer *answer, const struct access_question *question)
{
    const struct access_scope *scopes = question->scopes;
    size_t count = question->scope_count;

    switch (verdict) {
    case ACCESS_GRANTED:
        call->principal = answer->principal;
        call->is_new_tags_only = answer->is_new_tags_only;
        call->may_mount = answer->may_mount;
        let_in(call);
        break;
    case ACCESS_DENIED:
        call->principal = answer->principal; /* for the log */
        deny(response, scopes, count);
        break;
    case ACCESS_LIMITED:
        admit_refuse_guesser(response, answer->wait_ms);
        break;
    case ACCESS_FAILED:
        admit_fail(response, question->err);
        break;
    default:
        challenge(call, response, scopes, count, answer->reason);
    }
}

enum http_result admit(struct call *call, struct response *response)
{
    struct access_scope scopes[ROUTES_SCOPES_MAX];
    char from[NAME_MAX_SIZE + 1];
    struct error err;
    struct access_question question = {
        .address = call->address,
        .scopes = scopes,
        .err = &err,
        .may_wait = call_is_on_worker(call),
    };
    struct access_answer answer;
    enum access_verdict verdict;

    err.code = 0;
    if (routes_is_public(call->route.kind)) {
        let_in(call);
        return HTTP_DONE;
    }
    if (call->operation && call->operation->need == NEED_ANYONE &&
        !call_get_header(call, "Authorization")) {
        let_in(call);
        return HTTP_DONE;
    }
    question.scope_count = routes_find_scopes(call, scopes, from);
    if (!call_is_on_worker(call) && !credentials_take(call, &call->credentials)) {
        challenge(call, response, scopes, question.scope_count, ACCESS_NO_LOGIN);
        return HTTP_DONE;
    }
    credentials_ask(&call->credentials, &question);
    verdict = access_check(call->api->access, &question, &answer);
    if (verdict == ACCESS_WOULD_WAIT)
        return credentials_move(call, &call->credentials);
    if (verdict == ACCESS_UNAUTHENTICATED && call->credentials.user.size > 0)
        report_failed_login(call, &call->credentials.user);
    credentials_done(&call->credentials);
    give_verdict(call, response, verdict, &answer, &question);
    return HTTP_DONE;
}
