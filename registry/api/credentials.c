#include "registry/api/credentials.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "registry/api/api.h"
#include "registry/api/fairness.h"
#include "registry/spec/basic.h"

/* 0, BASIC_ABSENT for another scheme, or -ENOMEM. */
static int parse_bearer(const char *header, struct secbuf *ret_token)
{
    static const char scheme[] = "Bearer ";
    const size_t scheme_size = sizeof(scheme) - 1;
    size_t size;

    if (strncasecmp(header, scheme, scheme_size) != 0)
        return BASIC_ABSENT;
    header += scheme_size;
    header += strspn(header, " ");
    size = strlen(header);
    while (size > 0 && header[size - 1] == ' ')
        size--;
    return secbuf_reserve(ret_token, size + 1) < 0 ? -ENOMEM
                                                   : secbuf_append(ret_token, header, size);
}

bool credentials_take(const struct call *call, struct credentials *ret)
{
    const char *header = call_get_header(call, "Authorization");
    int r;

    if (!header)
        return true;
    r = basic_parse(header, strlen(header), &ret->user, &ret->password);
    if (r == BASIC_ABSENT && access_has_bearer(call->api->access))
        r = parse_bearer(header, &ret->bearer);
    explicit_bzero((char *)header, strlen(header));
    if (r != 0)
        credentials_done(ret);
    return r == 0;
}

void credentials_ask(const struct credentials *credentials, struct access_question *question)
{
    if (credentials->user.data) {
        question->user = &credentials->user;
        question->password = &credentials->password;
    }
    if (credentials->bearer.data)
        question->bearer = &credentials->bearer;
}

enum http_result credentials_move(struct call *call, const struct credentials *credentials)
{
    const struct access *access = call->api->access;
    bool waits = access_is_identity_token(access, &credentials->user);

    call->request->pool = waits ? call->api->workers : call->api->computers;
    call->request->owner = fairness_of_credentials(call->address, &credentials->user);
    call->request->delay_ms = 0;
    return HTTP_ON_WORKER;
}

void credentials_done(struct credentials *credentials)
{
    secbuf_done(&credentials->user);
    secbuf_done(&credentials->password);
    secbuf_done(&credentials->bearer);
}
