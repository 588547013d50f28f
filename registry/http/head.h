#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parses the head of an HTTP/1.0 or 1.1 request strictly (RFC 9112). A head that two parsers could
 * understand differently is refused: bare LF or CR, folded lines, white space before a colon,
 * control characters, two lengths, a length together with chunks. Pure; any thread may call it.
 */
enum {
    /* containers/storage sends Range headers of 16 KB, single sign-on cookies of 9 KB */
    HEAD_SIZE_MAX = 32 << 10,
    HEAD_HEADERS_MAX = 256,
};

/* Offsets in the text of the name and the value, each with a NUL at its end. */
struct head_header {
    uint16_t name, value;
};

struct head {
    char *text; /* borrowed; head_parse() puts NULs into it */
    /* in text; NULL if the request line is malformed; target is path and query */
    const char *method, *target;
    /* the host and port of a target that is a whole URL; otherwise NULL */
    const char *authority;
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
 * Finds the end of the head at the start of data. *scanned is initially 0, and tells the next call,
 * with more data, where to continue. Returns the size of the head with its empty line, 0 if more
 * data is needed, -EBADMSG if this is not HTTP, or -E2BIG if the head is too long.
 */
int head_scan(const char *data, size_t size, size_t *scanned);

/* Parses a complete head of that size. Returns false with *ret_flaw if it is refused. */
bool head_parse(char *text, size_t size, struct head *ret, struct head_flaw *ret_flaw);

/* Describes why head_scan() failed, for the answer. */
void head_describe_failure(const char *data, size_t size, int failure, struct head_flaw *ret_flaw);

/* The value of the first header of that name; NULL if there is none. */
const char *head_find(const struct head *head, const char *name);
