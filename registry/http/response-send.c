/*
 * The way from our response to libmicrohttpd's. Large bodies are read from a callback in blocks of 64 KiB: under TLS
 * its own way to send a file reads 4 KiB at a time and takes 2.6 times as long. Without TLS that way is sendfile(2), and the
 * faster one.
 */
#include "registry/http/response-send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "registry/http/request-private.h"

/*
 * libmicrohttpd clears a block before its first use, so that what is smaller than SMALL goes without one, and in a packet
 * with the headers.
 */
enum { BLOCK_SIZE = 64 << 10, SMALL = 16 << 10 };

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

static struct MHD_Response *with_source(struct response *response, size_t block_size)
{
    struct response *kept = malloc(sizeof(*kept));
    struct MHD_Response *made;

    if (!kept)
        return NULL;
    made = MHD_create_response_from_callback(response->size, block_size, read_block, kept, free_response);
    if (!made) {
        free(kept);
        return NULL;
    }
    *kept = *response;
    *response = (struct response){.status = kept->status};
    return made;
}

/* The caller's, free with free(). NULL where the body cannot be read, or memory is out. */
static char *read_all(const struct response *response)
{
    char *text = malloc(response->size ? (size_t)response->size : 1);

    for (uint64_t at = 0; text && at < response->size;) {
        ssize_t n = response_read(response, at, text + at, (size_t)(response->size - at));

        if (n <= 0) {
            free(text);
            return NULL;
        }
        at += (uint64_t)n;
    }
    return text;
}

static struct MHD_Response *with_text(struct response *response)
{
    char *text = response_take_text(response);
    struct MHD_Response *made;

    if (!text)
        text = read_all(response);
    made = text ? MHD_create_response_from_buffer((size_t)response->size, text, MHD_RESPMEM_MUST_FREE) : NULL;
    if (!made)
        free(text);
    return made;
}

/* NULL where it has to go another way. */
static struct MHD_Response *with_file(const struct response *response)
{
    const struct response_source *source = &response->source;
    struct MHD_Response *made;
    struct response_range range;
    int fd;

    if (!source->get_fd || !response_get_range(response, &range))
        return NULL;
    fd = fcntl(source->get_fd(source->object), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    made = MHD_create_response_from_fd_at_offset64(range.size, fd, range.first);
    if (!made)
        close(fd);
    return made;
}

static struct MHD_Response *make(struct response *response, bool is_tls)
{
    struct MHD_Response *made = NULL;

    if (!response->source.read)
        return with_text(response);
    if (!response->source.object) /* HEAD: nothing is read */
        return with_source(response, 1);
    if (response->size <= SMALL)
        return with_text(response);
    if (!is_tls)
        made = with_file(response);
    return made ? made : with_source(response, BLOCK_SIZE);
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
    made = make(response, options->is_tls);
    if (!made) {
        response_done(&headers);
        return MHD_NO;
    }
    response_done(response); /* what is sent is libmicrohttpd's now */
    response->status = status;
    response_for_each_header(&headers, add_to, made);
    for (size_t i = 0; i < options->header_count; i++)
        MHD_add_response_header(made, options->headers[i].name, options->headers[i].value);
    result = MHD_queue_response(connection, status, made);
    MHD_destroy_response(made);
    response_done(&headers);
    return result;
}
