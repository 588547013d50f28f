#pragma once

#include <stdint.h>

#include "common/secbuf.h"

/*
 * The client side of Assuan, the protocol of GnuPG's programs: lines of at most 1,000 bytes in both
 * directions. Received lines may hold secrets and stay in secure memory.
 */
struct assuan {
    int fd;
    struct secbuf in;    /* received bytes, including the lines that were already returned */
    size_t taken;        /* how much of it */
    int64_t deadline_ms; /* on the monotonic clock; ASSUAN_FOREVER: no deadline */
};

#define ASSUAN_INIT                                                                                \
    {                                                                                              \
        .fd = -1                                                                                   \
    }
#define ASSUAN_FOREVER INT64_MAX

enum { ASSUAN_LINE_MAX = 1000 }; /* with the newline */

/* A line without its newline. It is valid until the next call. */
struct assuan_line {
    const unsigned char *data;
    size_t size;
};

/*
 * Connects to the socket at path, or, if a file of libassuan is there, to the socket that it names.
 * Sends and receives nothing yet. 0; -ENOENT or -ECONNREFUSED if nothing listens; -ENOTSUP for a
 * redirection of an unknown form; -errno.
 */
int assuan_connect(const char *path, struct assuan *ret) MUST_USE;

/* Sets the deadline for everything that follows: this long from now. */
void assuan_set_timeout(struct assuan *assuan, int64_t milliseconds);

/* Sends whole lines. 0 or -errno. */
int assuan_send(struct assuan *assuan, const void *lines, size_t size) MUST_USE;

/*
 * Receives a line and skips comments. 0; -ETIMEDOUT; -EPIPE if the other end closed the connection;
 * -EPROTO for an invalid line; -errno.
 */
int assuan_receive(struct assuan *assuan, struct assuan_line *ret) MUST_USE;

/*
 * Whether the line begins with word, followed by a blank or the end. *ret_rest (may be NULL) is the
 * text after the blank.
 */
bool assuan_is(const struct assuan_line *line, const char *word, struct assuan_line *ret_rest);

/* libgpg-error's number (source and code) in the text after "ERR"; 0 if it has none. */
unsigned assuan_parse_error(const struct assuan_line *text);

/* Appends size bytes, and escapes those that a data line cannot contain. 0 or -ENOMEM. */
int assuan_escape(struct secbuf *ret, const void *data, size_t size) MUST_USE;

/* Appends the unescaped text. 0; -EPROTO; -ENOMEM. */
int assuan_unescape(const struct assuan_line *text, struct secbuf *ret) MUST_USE;

void assuan_done(struct assuan *assuan);
