#pragma once

#include <stdint.h>

#include "common/secbuf.h"

/*
 * The client side of Assuan, the protocol of GnuPG's programs: lines of at most 1,000 bytes in both directions. Received
 * lines may hold secrets and stay in secure memory.
 */
struct assuan {
    int fd;
    struct secbuf in;    /* what was received; the lines already taken at its head */
    size_t taken;        /* how much of it */
    int64_t deadline_ms; /* on the monotonic clock; ASSUAN_FOREVER: none */
};

#define ASSUAN_INIT {.fd = -1}
#define ASSUAN_FOREVER INT64_MAX

enum { ASSUAN_LINE_MAX = 1000 }; /* with the newline */

/* A line without its newline. It is valid until the next call. */
struct assuan_line {
    const unsigned char *data;
    size_t size;
};

/*
 * Connects to the socket at path, or where a file of libassuan's at that path says that it is. 0 or -errno (-ENOENT, -ECONNREFUSED: nobody
 * listens; -ENOTSUP: a redirection that is not understood). Nothing has been sent or received yet.
 */
int assuan_connect(const char *path, struct assuan *ret) MUST_USE;

/* From now on this long for all that follows. */
void assuan_set_timeout(struct assuan *assuan, int64_t milliseconds);

/* Sends whole lines. 0 or -errno. */
int assuan_send(struct assuan *assuan, const void *lines, size_t size) MUST_USE;

/* Receives a line; comments are passed over. 0; -ETIMEDOUT; -EPIPE: the other end has gone; -EPROTO: no line of Assuan's; -errno. */
int assuan_receive(struct assuan *assuan, struct assuan_line *ret) MUST_USE;

/* Whether the line begins with word, and then ends or goes on with a blank; *ret_rest (may be NULL) is what follows that. */
bool assuan_is(const struct assuan_line *line, const char *word, struct assuan_line *ret_rest);

/* Appends size bytes with those escaped that a line of data cannot have as they are. 0 or -ENOMEM. */
int assuan_escape(struct secbuf *ret, const void *data, size_t size) MUST_USE;

/* Appends what an escaped text says. 0; -EPROTO; -ENOMEM. */
int assuan_unescape(const struct assuan_line *text, struct secbuf *ret) MUST_USE;

void assuan_done(struct assuan *assuan);
