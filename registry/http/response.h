#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * The answer to one request, made by an endpoint on whatever thread, sent by the server. Setters
 * that run out of memory turn it into a plain 503, and then it stays that.
 */

/* Where the bytes of a body come from: an open blob, as a rule. */
struct response_source {
    void *object;
    ssize_t (*read)(void *object, uint64_t offset, void *ret_data, size_t size); /* bytes or -errno */
    int (*get_fd)(void *object); /* of a file with the same bytes, borrowed; -1: there is none. May be NULL */
    void (*close)(void *object);
};

struct response_range {
    uint64_t first, size;
};

struct response_header;
struct response_segment;
struct response_parts;

struct response {
    unsigned status; /* 0: there is none yet */
    struct response_header *headers;
    struct response_segment *segments;
    size_t segment_count;
    struct response_parts *parts; /* of a body of several ranges */
    uint64_t size; /* of the body, in bytes */
    size_t read_segment;   /* where response_read() was last, so that a body of many segments is not searched each time */
    uint64_t read_segment_begin; /* the offset of its first byte in the body */
    struct response_source source;
    char *failure; /* what went wrong on our side, for the log alone; NULL if nothing */
    bool is_given_up; /* memory is out */
};

void response_done(struct response *response);

/* Adds a header; control characters in the value are left out. */
void response_add_header(struct response *response, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* Whether there is one of that name. */
bool response_has_header(const struct response *response, const char *name);

void response_drop_headers(struct response *response);

/* A body of text; takes ownership of text (malloc'ed, NULL is out of memory). */
void response_set_body(struct response *response, unsigned status, const char *content_type, char *text, size_t size);

/* No body. */
void response_set_empty(struct response *response, unsigned status);

/*
 * A body out of source, of which response takes ownership: all of it (count 0), one range, or
 * several as multipart/byteranges with the parts' own content_type. total is the source's size.
 */
void response_set_source(struct response *response, const struct response_source *source, uint64_t total,
                         const char *content_type, const struct response_range *ranges, size_t count);

/* The text that the body is, if it is one piece of text: the caller's, free with free(). NULL otherwise. */
char *response_take_text(struct response *response);

/* The range of the source that the body is; false where it is something else. */
bool response_get_range(const struct response *response, struct response_range *ret);

/* Reads up to size bytes at offset of the body: how many, 0 behind its end, or -errno. */
ssize_t response_read(struct response *response, uint64_t offset, void *ret_data, size_t size);

/* Calls each(name, value) for every header, in the order they were added. */
void response_for_each_header(const struct response *response,
                              void (*each)(void *context, const char *name, const char *value), void *context);
