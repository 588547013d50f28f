/*
 * Serves the files of the web page. Nothing in them depends on the user or the registry: the page
 * fetches what it shows through the API, like any client. They are compressed already, so a client
 * that does not accept gzip gets none of them.
 */
#include <stdio.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/page/assets.h"
#include "registry/spec/accept.h"
#include "registry/spec/range.h"

enum { LIST_SIZE = 1024, HASH_SIZE = 32 };

/* The page runs nothing and loads nothing that is not in the program, and no other page embeds it. */
static const char content_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

/* Whether a header that lists what the client accepts names the value. */
static bool does_header_name(const struct call *call, const char *header, const char *value)
{
    char list[LIST_SIZE];

    return request_join_header(call->request, header, list, sizeof(list)) == 0 &&
           accept_names(list, value);
}

static bool is_gzip_accepted(const struct call *call)
{
    return does_header_name(call, "Accept-Encoding", "gzip") ||
           does_header_name(call, "Accept-Encoding", "*");
}

/* --- sending a file ------------------------------------------------------------------------- */

static ssize_t read_asset(void *object, uint64_t offset, void *ret_data, size_t size)
{
    const struct page_asset *asset = object;

    if (offset >= asset->size)
        return 0;
    if (size > asset->size - offset)
        size = asset->size - (size_t)offset;
    memcpy(ret_data, asset->bytes + offset, size);
    return (ssize_t)size;
}

static void add_headers(struct response *response, const struct page_asset *asset,
                        bool is_constant)
{
    response_add_header(response, "Cache-Control", "%s",
                        is_constant ? "public, max-age=31536000, immutable" : "no-cache");
    response_add_header(response, "Etag", "\"%s\"", asset->etag);
    response_add_header(response, "Vary", *asset->path ? "Accept-Encoding"
                                                       : "Accept, Accept-Encoding");
    response_add_header(response, "Content-Security-Policy", "%s", content_policy);
    response_add_header(response, "X-Content-Type-Options", "nosniff");
    response_add_header(response, "Referrer-Policy", "no-referrer");
    response_add_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    response_add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

static bool is_known_to_client(const struct call *call, const struct page_asset *asset)
{
    char list[LIST_SIZE], etag[HASH_SIZE];

    snprintf(etag, sizeof(etag), "\"%s\"", asset->etag);
    return request_join_header(call->request, "If-None-Match", list, sizeof(list)) == 0 &&
           range_matches_etag(list, etag);
}

/* is_constant: the path names the version of the page, so that the answer never changes. */
static void send_asset(const struct call *call, struct response *response,
                       const struct page_asset *asset, bool is_constant)
{
    const struct response_source source = {.object = (void *)asset, .read = read_asset};

    if (is_known_to_client(call, asset)) {
        response_set_empty(response, 304);
    } else {
        response_set_source(response, &source, asset->size, asset->type, NULL, 0);
        response_add_header(response, "Content-Encoding", "gzip");
    }
    add_headers(response, asset, is_constant);
}

/* --- endpoints ------------------------------------------------------------------------------ */

/*
 * Browsers get the page. Probes, and all others that do not ask for HTML, get the empty answer of
 * registry:2. Outside http.prefix the page would not find the API.
 */
static bool wants_page(const struct call *call)
{
    return api_of(call)->page && !call->is_outside_prefix &&
           (call->method & (ROUTE_METHOD_GET | ROUTE_METHOD_HEAD)) &&
           does_header_name(call, "Accept", "text/html") && is_gzip_accepted(call);
}

static enum http_result answer_root(struct call *call, struct response *response)
{
    if (wants_page(call)) {
        send_asset(call, response, page_find_asset(""), false);
        return HTTP_DONE;
    }
    response_set_empty(response, 200);
    response_add_header(response, "Cache-Control", "no-cache");
    if (api_of(call)->page)
        response_add_header(response, "Vary", "Accept, Accept-Encoding");
    return HTTP_DONE;
}

/* The references in the document are relative to http.prefix with a slash. */
static enum http_result answer_page_redirect(struct call *call, struct response *response)
{
    response_set_empty(response, 301);
    response_add_header(response, "Location", "%s/", api_of(call)->prefix);
    return HTTP_DONE;
}

/*
 * Paths are VERSION/FILE. A page that was loaded from another version of this program asks for
 * files of that version: it gets ours, which are not to be cached under that path.
 */
static enum http_result answer_asset(struct call *call, struct response *response)
{
    const char *version = call->route.asset, *slash = strchr(version, '/');
    const struct page_asset *asset = slash && slash[1] ? page_find_asset(slash + 1) : NULL;
    bool is_constant = slash && (size_t)(slash - version) == strlen(page_version) &&
                       strncmp(version, page_version, strlen(page_version)) == 0;

    if (!asset) {
        response_refuse(response, ERROR_CODE_UNSUPPORTED, "\"there is nothing at this path\"");
        response->status = 404;
    } else if (!is_gzip_accepted(call) && call_get_header(call, "Accept-Encoding")) {
        answer_invalid(response, ERROR_CODE_UNSUPPORTED, "this file is sent with gzip only");
        response->status = 406;
    } else {
        send_asset(call, response, asset, is_constant);
    }
    return HTTP_DONE;
}

const struct endpoint endpoint_root = {.answer = answer_root};
const struct endpoint endpoint_page_redirect = {.answer = answer_page_redirect};
const struct endpoint endpoint_page_asset = {.answer = answer_asset};
