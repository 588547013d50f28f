#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The head of an HTTP/1.0 or 1.1 request, parsed strictly (RFC 9112). A head that two parsers could
 * take for different requests is refused: bare LF or CR, folded lines, white space before a colon,
 * control characters, two lengths, a length beside chunks. Pure; from any thread.
 */
enum {
    HEAD_SIZE_MAX = 32 << 10, /* containers/storage asks for 1,024 ranges in 16 KB, single sign-on sends cookies of 9 KB */
    HEAD_HEADERS_MAX = 256,
};

/* Names and values are NUL-terminated, at these offsets in the text. */
struct head_header {
    uint16_t name, value;
};

struct head {
    char *text; /* borrowed; head_parse() puts NULs into it */
    const char *method, *target; /* in text; NULL if the request line is malformed. Of a whole URL the path and query */
    const char *authority;       /* the host and port of a target that is a whole URL; otherwise NULL */
    unsigned minor; /* of HTTP/1.<minor> */
    struct head_header headers[HEAD_HEADERS_MAX];
    unsigned header_count;
    int64_t body_size; /* in bytes; -1: chunked */
    bool keeps_alive;  /* the client wants to send another request on this connection */
    bool expects_continue;
};

/* Why a head is refused: the status of the answer, and the reason. */
struct head_flaw {
    unsigned status;
    const char *text;
};

/*
 * Looks for the end of the head that data begins with. *scanned is 0 at first, and tells the next call with more data
 * where to go on. Returns the size of the head with its empty line, 0 if more data is needed, -EBADMSG if this is not
 * HTTP, or -E2BIG if the head is too long.
 */
int head_scan(const char *data, size_t size, size_t *scanned);

/* Parses a whole head of that size. False with *ret_flaw filled if it is refused. */
bool head_parse(char *text, size_t size, struct head *ret, struct head_flaw *ret_flaw);

/* What to answer after head_scan() failed. */
void head_describe_failure(const char *data, size_t size, int failure, struct head_flaw *ret_flaw);

/* The value of the first header of that name; NULL if there is none. */
const char *head_find(const struct head *head, const char *name);
