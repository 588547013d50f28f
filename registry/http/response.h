#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * The answer to one request. An endpoint sets it on any thread, and the server sends it. If a
 * setter runs out of memory, the answer becomes a plain 503, which later setters do not change.
 */

/* The source of the bytes of a body, usually an open blob. */
struct response_source {
    void *object;
    /* bytes, -EAGAIN if the event thread would have to wait, or -errno */
    ssize_t (*read)(void *object, uint64_t offset, void *ret_data, size_t size);
    /* Called after -EAGAIN on a worker of request->pool: waits. NULL: read() never answers that. */
    void (*wait)(void *object);
    /*
     * Called after -EAGAIN on the event thread: has ready(ready_object) called once, on any thread,
     * when read() can go on. Returns false if only wait() can help. May be NULL.
     */
    bool (*notify)(void *object, void (*ready)(void *object), void *ready_object);
    /*
     * As read(), but lends the bytes until the next call. -EOPNOTSUPP if it lends nothing. May be
     * NULL.
     */
    ssize_t (*borrow)(void *object, uint64_t offset, size_t size, const void **ret_data);
    int (*get_fd)(void *object); /* a file with the same bytes, borrowed; -1: none. May be NULL */
    void (*close)(void *object);
};

struct response_range {
    uint64_t first, size;
};

struct response_header;
struct response_segment;
struct response_parts;

struct response {
    unsigned status; /* 0: not set */
    struct response_header *headers;
    struct response_segment *segments;
    size_t segment_count;
    struct response_parts *parts; /* of a body of several ranges */
    uint64_t size; /* of the body, in bytes */
    /* the last segment that response_read() used, so that it need not search */
    size_t read_segment;
    uint64_t read_segment_begin; /* the offset of its first byte in the body */
    struct response_source source;
    char *failure; /* why the server failed, only for the log; or NULL */
    bool is_given_up; /* memory was exhausted */
};

void response_done(struct response *response);

/* Adds a header; control characters in the value are omitted. */
void response_add_header(struct response *response, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Whether the response has a header of that name. */
bool response_has_header(const struct response *response, const char *name);

void response_drop_headers(struct response *response);

/* Sets a body of text. Takes ownership of text (from malloc(); NULL means out of memory). */
void response_set_body(struct response *response, unsigned status, const char *content_type,
                       char *text, size_t size);

/* Sets an answer without a body. */
void response_set_empty(struct response *response, unsigned status);

/*
 * Sets a body from source, of which response takes ownership: all of it (count 0), one range, or
 * several as multipart/byteranges, whose parts have content_type. total is the source's size.
 */
void response_set_source(struct response *response, const struct response_source *source,
                         uint64_t total, const char *content_type,
                         const struct response_range *ranges, size_t count);

/*
 * Takes the body if it is one piece of text; owned by the caller, free with free(). Otherwise NULL.
 */
char *response_take_text(struct response *response);

/* Gets the range of the source if the body is one range; otherwise returns false. */
bool response_get_range(const struct response *response, struct response_range *ret);

/*
 * Reads up to size bytes at offset of the body. Returns the number of bytes, 0 at the end, or
 * -errno.
 */
ssize_t response_read(struct response *response, uint64_t offset, void *ret_data, size_t size);

/*
 * Like response_read(), but lends the bytes until the next call. -EOPNOTSUPP if the body is not a
 * single range of a source that lends.
 */
ssize_t response_borrow(struct response *response, uint64_t offset, size_t size,
                        const void **ret_data);

/* Calls each(name, value) for every header, in the order they were added. */
void response_for_each_header(const struct response *response,
                              void (*each)(void *context, const char *name, const char *value),
                              void *context);
