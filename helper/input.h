#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/* The most that a client may send, in bytes. */
#define INPUT_MAX ((size_t)1 << 20)

/*
 * Reads fd to its end as Docker's helper does: line ends (a newline, with a carriage return
 * before it or at the end of the input) are dropped and the lines joined. Appends to ret_text.
 * 0 or negative.
 */
int input_read(int fd, struct secbuf *ret_text, struct error *err) MUST_USE;

/*
 * Reads a server URL: the same, without white space at both ends. 0 or negative; an empty one
 * is negative, with the text that clients compare.
 */
int input_read_url(int fd, struct secbuf *ret_url, struct error *err) MUST_USE;
