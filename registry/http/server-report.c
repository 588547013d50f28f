/*
 * What is said of a request that is over.
 */
#include <time.h>

#include "registry/http/request-private.h"

static uint64_t microseconds_since(const struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    /* The second difference is negative where a second has begun meanwhile. */
    return (uint64_t)((int64_t)(now.tv_sec - begin->tv_sec) * 1000000 + (now.tv_nsec - begin->tv_nsec) / 1000);
}

void server_report(const struct exchange *exchange)
{
    const struct server_options *options = &exchange->server->options;
    const struct server_report report = {
        .request = &exchange->request,
        .endpoint = exchange->endpoint ? exchange->endpoint->name : NULL,
        .status = exchange->status,
        .sent = exchange->sent,
        .duration_us = microseconds_since(&exchange->begin),
        .user_agent = request_get_header(&exchange->request, "User-Agent"),
        .host = request_get_header(&exchange->request, "Host"),
        .content_type = *exchange->content_type ? exchange->content_type : NULL,
        .failure = exchange->failure,
    };

    if (options->report)
        options->report(options->context, &report);
}
