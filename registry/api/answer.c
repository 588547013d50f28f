/*
 * Parts of answers that several endpoints share.
 */
#include "registry/api/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-quote.h"
#include "registry/core/events.h"
#include "registry/spec/escape.h"
#include "registry/spec/range.h"

enum { DETAIL_MAX = 1024, ORIGIN_MAX = 512, PATH_MAX_SIZE = 1024 };

void answer_location(const struct call *call, struct response *response, const char *format, ...)
{
    const struct api *api = api_of(call);
    char origin[ORIGIN_MAX] = "", path[PATH_MAX_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    if (!api->has_relative_urls && !api->host)
        request_get_origin(call->request, origin, sizeof(origin));
    /* As in registry:2, http.host replaces the prefix, too: a proxy may remove the prefix. */
    if (api->host && !api->has_relative_urls)
        response_add_header(response, "Location", "%s/v2/%s", api->host, path);
    else
        response_add_header(response, "Location", "%s%s/v2/%s", origin, api->prefix, path);
}

void answer_digest(struct response *response, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    response_add_header(response, "Docker-Content-Digest", "%s", text);
}

void answer_format_etag(const struct digest *digest, char ret_etag[ANSWER_ETAG_SIZE])
{
    size_t size;

    ret_etag[0] = '"';
    digest_format(digest, ret_etag + 1);
    size = strlen(ret_etag);
    ret_etag[size] = '"';
    ret_etag[size + 1] = '\0';
}

/*
 * Returns whether a condition's list of entity tags contains etag (0 or 1), or negative if the
 * header is missing or invalid.
 */
static int match_condition(const struct call *call, const char *condition, const char *etag)
{
    char list[2048];
    int r = request_join_header(call->request, condition, list, sizeof(list));

    return r < 0 ? r : range_matches_etag(list, etag);
}

bool answer_if_settled(const struct call *call, struct response *response,
                       const struct digest *digest)
{
    char etag[ANSWER_ETAG_SIZE];

    answer_digest(response, digest);
    answer_format_etag(digest, etag);
    response_add_header(response, "Etag", "%s", etag);
    if (match_condition(call, "If-Match", etag) == 0)
        response_set_empty(response, 412);
    else if (match_condition(call, "If-None-Match", etag) > 0)
        response_set_empty(response, 304);
    else
        return false;
    return true;
}

void answer_pulled(const struct call *call, const struct digest *digest, uint64_t size,
                   const char *media_type)
{
    store_report_event(api_of(call)->store, &(struct event){
        .kind = media_type ? EVENT_PULL_MANIFEST : EVENT_PULL_BLOB,
        .repository = call->route.name,
        .tag = call->route.kind == ROUTE_MANIFEST_TAG ? call->route.tag : NULL,
        .digest = digest,
        .size = size,
        .media_type = media_type,
        .actor = call_get_actor(call),
    });
}

/* Formats text as a JSON string, and halves it until it fits. */
static void quote(const char *text, char *ret_quoted, size_t size)
{
    size_t length = strlen(text);

    while (json_quote(text, length, NULL) >= size)
        length /= 2;
    ret_quoted[json_quote(text, length, ret_quoted)] = '\0';
}

void answer_unknown_digest(struct response *response, enum error_code code,
                           const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE], detail[DIGEST_TEXT_SIZE + 2];

    digest_format(digest, text);
    snprintf(detail, sizeof(detail), "\"%s\"", text);
    response_refuse(response, code, detail);
}

void answer_unknown(struct response *response, enum error_code code, const char *key,
                    const char *text)
{
    char quoted[DETAIL_MAX], detail[DETAIL_MAX + 64];

    quote(text, quoted, sizeof(quoted));
    snprintf(detail, sizeof(detail), "{\"%s\":%s}", key, quoted);
    response_refuse(response, code, detail);
}

void answer_invalid(struct response *response, enum error_code code, const char *format, ...)
{
    char text[DETAIL_MAX], quoted[DETAIL_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    quote(text, quoted, sizeof(quoted));
    response_refuse(response, code, quoted);
}

bool answer_if_read_only(const struct call *call, struct response *response)
{
    if (!api_of(call)->is_read_only)
        return false;
    answer_invalid(response, ERROR_CODE_UNSUPPORTED, "this registry is read-only");
    response_add_header(response, "Allow", "GET, HEAD");
    return true;
}

bool answer_if_not_deleting(const struct call *call, struct response *response)
{
    if (answer_if_read_only(call, response))
        return true;
    if (api_of(call)->is_delete_enabled)
        return false;
    response_refuse(response, ERROR_CODE_UNSUPPORTED, NULL);
    return true;
}

void answer_next_page(const struct call *call, struct response *response, const char *path,
                      const char *last, size_t n, const char *more)
{
    char escaped[3 * 256 + 1];

    if (escape_query(last, strlen(last), escaped, sizeof(escaped)) < 0)
        return;
    response_add_header(response, "Link", "<%s/v2/%s?last=%s&n=%zu%s>; rel=\"next\"",
                        api_of(call)->prefix, path, escaped, n, more);
}
