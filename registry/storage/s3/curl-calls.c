/*
 * Loads libcurl, so that a server without a bucket does not need it.
 */
#include "registry/storage/s3/curl-calls.h"

#include "registry/storage/s3/library.h"
#include "registry/storage/s3/transport.h"
#include "registry/storage/s3/wiping-memory.h"

#define SYMBOL(name) {"curl_" #name, (void **)&curl.name},

struct curl_calls curl;

int transport_load(struct error *err)
{
    static const char *const files[] = {"libcurl-gnutls.so.4", "libcurl.so.4", NULL};
    static const struct library_symbol symbols[] = {CURL_CALLS(SYMBOL)};
    static bool is_loaded;
    int r;

    if (is_loaded)
        return 0;
    r = library_load(files, "libcurl (package libcurl3-gnutls or libcurl3t64-gnutls)", symbols,
                     ARRAY_SIZE(symbols), err);
    if (r == 0 && curl.global_init_mem(CURL_GLOBAL_DEFAULT, wiping_malloc, wiping_free,
                                       wiping_realloc, wiping_strdup, wiping_calloc) != CURLE_OK)
        return error_set_oom(err);
    is_loaded = r == 0;
    return r;
}

const char *transport_get_authorities(void)
{
    const curl_version_info_data *data = curl.version_info(CURLVERSION_NOW);

    return data->age >= CURLVERSION_SEVENTH ? data->cainfo : NULL;
}
