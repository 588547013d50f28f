/*
 * Who asks? A password that was verified before is known at once; any other is checked by a worker
 * while the connection waits, since one bcrypt takes as long as thousands of requests.
 */
#include <stdio.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/http/request-private.h"
#include "registry/spec/basic.h"
#include "registry/spec/escape.h"
#include "registry/spec/name.h"

/* What somebody would have to be allowed, as an item of registry:2's list. */
struct right {
    const char *type, *name, *action;
};

/* Which those are for this request; answers how many. from holds the repository that a mount names. */
static size_t find_rights(const struct request *request, struct right ret_rights[3], char from[NAME_MAX_SIZE + 1])
{
    const char *name = request->route.name;
    bool is_write = request->method & (ROUTE_METHOD_POST | ROUTE_METHOD_PUT | ROUTE_METHOD_PATCH);
    size_t count = 0;

    if (request->route.kind == ROUTE_CATALOG)
        ret_rights[count++] = (struct right){"registry", "catalog", "*"};
    if (!*name)
        return count;
    ret_rights[count++] =
        (struct right){"repository", name, request->method == ROUTE_METHOD_DELETE ? "delete" : "pull"};
    if (is_write)
        ret_rights[count++] = (struct right){"repository", name, "push"};
    if (escape_find(request->query, "from", from, NAME_MAX_SIZE + 1) == 0 && name_is_repository(from, strlen(from)))
        ret_rights[count++] = (struct right){"repository", from, "pull"};
    return count;
}

/* Which resources a 401 speaks of, as registry:2 words it: null outside of a repository. */
static void format_detail(const struct request *request, char *ret_detail, size_t size)
{
    struct right rights[3];
    char from[NAME_MAX_SIZE + 1];
    size_t count = find_rights(request, rights, from), used = 0;

    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(ret_detail + used, size - used,
                                 "%c{\"Type\":\"%s\",\"Class\":\"\",\"Name\":\"%s\",\"Action\":\"%s\"}",
                                 i ? ',' : '[', rights[i].type, rights[i].name, rights[i].action);
    if (used < size)
        snprintf(ret_detail + used, size - used, count ? "]" : "null");
}

static enum admission refuse(struct exchange *exchange)
{
    struct response *response = &exchange->response;
    char detail[1200];

    format_detail(&exchange->request, detail, sizeof(detail));
    response_refuse(response, ERROR_CODE_UNAUTHORIZED, detail);
    response_add_header(response, "WWW-Authenticate", "Basic realm=\"%s\"", exchange->server->options.realm);
    exchange->request.user[0] = '\0';
    return ADMISSION_REFUSED;
}

/* The password leaves the header: what lies there would outlive the request in memory. */
static int take_credential(struct exchange *exchange, struct secbuf *ret_user)
{
    const char *header = request_get_header(&exchange->request, "Authorization");
    int r;

    if (!header)
        return BASIC_ABSENT;
    r = basic_parse(header, strlen(header), ret_user, &exchange->password);
    explicit_bzero((char *)header, strlen(header));
    return r;
}

/* Who guesses too fast is not even listened to: then true, with the answer. */
static bool refuse_guesser(struct exchange *exchange)
{
    struct guess_limit *limit = exchange->server->options.guess_limit;
    const struct request *request = &exchange->request;
    uint64_t wait_ms;

    if (!limit)
        return false;
    wait_ms = guess_limit_get_wait(limit, request->address, request->user, strlen(request->user), (uint64_t)monotonic_ms());
    if (wait_ms == 0)
        return false;
    response_refuse(&exchange->response, ERROR_CODE_TOOMANYREQUESTS, "\"too many wrong passwords; try again later\"");
    response_add_header(&exchange->response, "Retry-After", "%ju", (uintmax_t)(wait_ms + 999) / 1000);
    secbuf_done(&exchange->password);
    exchange->request.user[0] = '\0';
    return true;
}

static void count_guess(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;

    if (exchange->server->options.guess_limit)
        guess_limit_count(exchange->server->options.guess_limit, request->address, request->user, strlen(request->user),
                          (uint64_t)monotonic_ms());
}

/*
 * Thousands of guesses may have come before the first of them was found to be one, so that each is looked at again when
 * its turn has come. Who waited with the right password may find that it is known by now.
 */
static enum auth_verdict verify(struct exchange *exchange, const struct secbuf *user)
{
    struct authenticator *authenticator = exchange->server->options.authenticator;
    enum auth_verdict verdict = authenticator_look_up(authenticator, user, &exchange->password);

    if (verdict == AUTH_UNKNOWN && !refuse_guesser(exchange))
        verdict = authenticator_verify(authenticator, user, &exchange->password);
    return verdict;
}

static void check_password(struct job *job)
{
    struct exchange *exchange = exchange_of_job(job);
    CLEANUP(secbuf_done) struct secbuf user = {0};
    enum auth_verdict verdict = AUTH_UNKNOWN;

    if (secbuf_append(&user, exchange->request.user, strlen(exchange->request.user)) == 0)
        verdict = verify(exchange, &user);
    secbuf_done(&exchange->password);
    if (verdict == AUTH_DENIED) {
        count_guess(exchange);
        refuse(exchange);
    } else if (verdict == AUTH_UNKNOWN && !exchange->response.status) {
        response_fail_oom(&exchange->response);
    }
    server_hand_back(exchange);
}

/* One guesser's many tries wait for each other, not others for them: by address and user. */
static uint64_t fairness_key(const struct request *request)
{
    uint64_t key = 14695981039346656037u; /* FNV-1a */

    for (const char *c = request->address; *c; c++)
        key = (key ^ (unsigned char)*c) * 1099511628211u;
    for (const char *c = request->user; *c; c++)
        key = (key ^ (unsigned char)*c) * 1099511628211u;
    return key;
}

enum admission server_admit_checked(struct exchange *exchange)
{
    return exchange->response.status ? ADMISSION_REFUSED : ADMITTED;
}

/* Health is for machines without a user (load balancers); registry:2's own is on / likewise. */
static bool is_public(enum route_kind kind)
{
    return kind == ROUTE_ROOT || kind == ROUTE_HEALTH || kind == ROUTE_BASE_REDIRECT;
}

enum admission server_admit(struct exchange *exchange)
{
    struct authenticator *authenticator = exchange->server->options.authenticator;
    CLEANUP(secbuf_done) struct secbuf user = {0};
    struct request *request = &exchange->request;

    if (!authenticator || is_public(request->route.kind))
        return ADMITTED;
    if (take_credential(exchange, &user) != 0 || user.size > REQUEST_USER_MAX || memchr(user.data, '\0', user.size))
        return refuse(exchange);
    snprintf(request->user, sizeof(request->user), "%.*s", (int)user.size, (const char *)user.data);
    switch (authenticator_look_up(authenticator, &user, &exchange->password)) {
    case AUTH_GRANTED:
        secbuf_done(&exchange->password);
        return ADMITTED;
    case AUTH_DENIED:
        count_guess(exchange);
        return refuse(exchange);
    default:
        if (refuse_guesser(exchange))
            return ADMISSION_REFUSED;
        server_hand_over(exchange, exchange->server->checkers, fairness_key(request), check_password);
        return ADMISSION_PENDING;
    }
}
