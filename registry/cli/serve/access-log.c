#include "registry/cli/serve/access-log.h"

#include <stdio.h>
#include <string.h>

#include "registry/cli/serve/metrics.h"
#include "registry/runtime/log.h"

void access_log_report(const struct call_report *report)
{
    const struct call *call = report->call;
    const struct request *request = report->request;
    const struct http_end *end = report->end;
    const char *failure = end->failure ? end->failure : end->cut;
    char address[REQUEST_ADDRESS_MAX + 16];
    const struct log_field fields[] = {
        log_text("auth.user.name", call && *call->principal.name ? call->principal.name : NULL),
        log_text("err.detail", failure),
        log_text("http.request.host", report->host),
        log_text("http.request.method", request->head->method),
        log_text("http.request.remoteaddr", *request->address ? address : NULL),
        log_text("http.request.uri", request->head->target),
        log_text("http.request.useragent", report->user_agent),
        log_text("http.response.contenttype", end->content_type),
        log_duration("http.response.duration", end->duration_us),
        log_integer("http.response.status", end->status),
        log_integer("http.response.written", (int64_t)end->sent),
    };

    snprintf(address, sizeof(address), strchr(request->address, ':') ? "[%s]:%u" : "%s:%u", request->address, request->port);
    metrics_count(report);
    if (end->failure)
        log_write(LOG_LEVEL_ERROR, fields, ARRAY_SIZE(fields), "response completed with error");
    else if (end->cut)
        log_request(fields, ARRAY_SIZE(fields), "connection ended by this server");
    else
        log_request(fields, ARRAY_SIZE(fields), end->status ? "response completed" : "client went away");
}
