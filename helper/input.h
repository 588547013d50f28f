#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/* The largest request that is accepted, in bytes. */
#define INPUT_MAX ((size_t)1 << 20)

/*
 * Reads fd to its end as Docker's helper does: line ends (a newline, with a carriage return
 * before it or at the end of the input) are dropped and the lines joined. Appends to ret_text.
 * 0 or negative.
 */
int input_read(int fd, struct secbuf *ret_text, struct error *err) MUST_USE;

/*
 * The same for a server URL, without white space at both ends. 0 or negative; an empty URL is an
 * error, with the text that clients compare.
 */
int input_read_url(int fd, struct secbuf *ret_url, struct error *err) MUST_USE;
