/*
 * libcurl's handle of an exchange. It is used on the transport's thread only.
 */
#include "registry/storage/s3/easy.h"

#include <string.h>

#include "registry/storage/s3/curl-calls.h"
#include "registry/storage/s3/exchange-private.h"

enum { RECEIVE_SIZE = 64 << 10 };

_Static_assert(EXCHANGE_PROBLEM_SIZE >= CURL_ERROR_SIZE,
               "libcurl writes up to CURL_ERROR_SIZE bytes");

/* --- libcurl's calls ------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t one, size_t size, void *object)
{
    (void)one;
    switch (exchange_add_bytes(object, data, size)) {
    case EXCHANGE_TAKEN:
        return size;
    case EXCHANGE_FULL:
        return CURL_WRITEFUNC_PAUSE;
    default:
        return 0; /* ends the transfer */
    }
}

/* Each line of a head. A head with a status below 200 is followed by another. */
static size_t on_header(char *line, size_t one, size_t size, void *object)
{
    struct exchange *exchange = object;
    long status = 0;

    (void)one;
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0)
        exchange_forget_head(exchange);
    else if (size > 2)
        exchange_add_header(exchange, line, size);
    else if (curl.easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
             status >= 200)
        exchange_set_status(exchange, (int)status);
    return size;
}

/* --- options --------------------------------------------------------------------------------- */

static bool set_headers(struct exchange *exchange)
{
    /* libcurl would add these; without a value they are left out. */
    static const char *const without[] = {"Expect:", "Content-Type:", "Accept:"};

    for (size_t i = 0; i < ARRAY_SIZE(without) + exchange->header_count; i++) {
        const char *line =
            i < ARRAY_SIZE(without) ? without[i] : exchange->headers[i - ARRAY_SIZE(without)];
        struct curl_slist *longer = curl.slist_append(exchange->lines, line);

        if (!longer)
            return false;
        exchange->lines = longer;
    }
    return curl.easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->lines) == CURLE_OK;
}

static bool set_method(CURL *easy, const struct exchange *exchange)
{
    if (strcmp(exchange->method, "HEAD") == 0)
        return curl.easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (strcmp(exchange->method, "GET") == 0)
        return curl.easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method) != CURLE_OK)
        return false;
    if (!exchange->body && strcmp(exchange->method, "DELETE") == 0)
        return true;
    return curl.easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body ? exchange->body : "") ==
               CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_size) ==
               CURLE_OK;
}

static bool set_limits(CURL *easy, const struct transport_options *options,
                       const struct exchange *exchange)
{
    return curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms) ==
               CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)options->idle_s) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)exchange->total_ms) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_BUFFERSIZE,
                            (long)(exchange->total_ms ? RECEIVE_SIZE : EASY_STREAM_SIZE)) ==
               CURLE_OK;
}

static bool set_trust(CURL *easy, const struct transport_options *options)
{
    return curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->skips_verify ? 0L : 1L) ==
               CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->skips_verify ? 0L : 2L) ==
               CURLE_OK;
}

static bool set_callbacks(CURL *easy, struct exchange *exchange)
{
    return curl.easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->problem) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_HEADERDATA, exchange) == CURLE_OK;
}

bool easy_new(struct exchange *exchange, const struct transport_options *options)
{
    CURL *easy = exchange->easy = curl.easy_init();

    return easy && curl.easy_setopt(easy, CURLOPT_URL, exchange->url) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           set_headers(exchange) && set_method(easy, exchange) &&
           set_limits(easy, options, exchange) && set_trust(easy, options) &&
           set_callbacks(easy, exchange);
}
