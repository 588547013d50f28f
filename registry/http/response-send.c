/*
 * The way from our response to libmicrohttpd's. Bodies are read from a callback in blocks of
 * 64 KiB: under TLS its own way to send a file reads 4 KiB at a time and takes 2.6 times as long.
 */
#include "registry/http/response-send.h"

#include <stdlib.h>

enum { BLOCK_SIZE = 64 << 10 };

static ssize_t read_block(void *cls, uint64_t offset, char *ret_data, size_t size)
{
    ssize_t n = response_read(cls, offset, ret_data, size);

    /* A body that ends before its length is an error, not an end. */
    return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_response(void *cls)
{
    response_done(cls);
    free(cls);
}

static struct MHD_Response *with_source(struct response *response)
{
    struct response *kept = malloc(sizeof(*kept));
    struct MHD_Response *made;

    if (!kept)
        return NULL;
    made = MHD_create_response_from_callback(response->size, BLOCK_SIZE, read_block, kept, free_response);
    if (!made) {
        free(kept);
        return NULL;
    }
    *kept = *response;
    *response = (struct response){.status = kept->status};
    return made;
}

/* Small bodies in one piece: a callback would cost a block of its own. */
static struct MHD_Response *with_text(struct response *response)
{
    char *text = malloc(response->size ? (size_t)response->size : 1);
    struct MHD_Response *made;

    if (!text)
        return NULL;
    for (uint64_t at = 0; at < response->size;) {
        ssize_t n = response_read(response, at, text + at, (size_t)(response->size - at));

        if (n <= 0) {
            free(text);
            return NULL;
        }
        at += (uint64_t)n;
    }
    made = MHD_create_response_from_buffer((size_t)response->size, text, MHD_RESPMEM_MUST_FREE);
    if (!made)
        free(text);
    return made;
}

static void add_to(void *context, const char *name, const char *value)
{
    MHD_add_response_header(context, name, value);
}

enum MHD_Result response_send(struct MHD_Connection *connection, struct response *response,
                              const struct server_options *options)
{
    unsigned status = response->is_given_up ? 503 : response->status;
    struct response headers = {.headers = response->headers};
    struct MHD_Response *made;
    enum MHD_Result result;

    response->headers = NULL;
    made = response->source.read ? with_source(response) : with_text(response);
    if (!made) {
        response_done(&headers);
        return MHD_NO;
    }
    response_for_each_header(&headers, add_to, made);
    for (size_t i = 0; i < options->header_count; i++)
        MHD_add_response_header(made, options->headers[i].name, options->headers[i].value);
    result = MHD_queue_response(connection, status, made);
    MHD_destroy_response(made);
    response_done(&headers);
    return result;
}
