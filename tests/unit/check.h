#pragma once

/* cmocka's header needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/error.h"
#include "common/secbuf.h"

/* Assertions of the unit tests beyond cmocka. A failure ends the test with a message. */

/* err is one line of text that contains part. */
#define assert_says(err, part) check_says(err, part, __FILE__, __LINE__)

/* buf has the bytes of a string literal, which may contain NULs. */
#define assert_holds(buf, literal) check_holds(buf, "" literal, sizeof(literal) - 1, __FILE__, __LINE__)

/* The condition is true for the case `name` of a table. */
#define assert_case(name, condition) check_case(name, #condition, condition, __FILE__, __LINE__)

void check_says(const struct error *err, const char *part, const char *file, int line);
void check_holds(const struct secbuf *buf, const void *bytes, size_t size, const char *file, int line);
void check_case(const char *name, const char *condition, bool holds, const char *file, int line);

/*
 * A copy of size bytes that ends where its allocation does (free with free()), so that
 * AddressSanitizer and valgrind see the first byte that is read beyond it.
 */
void *copy_exactly(const void *bytes, size_t size);

/* Fills path with count times c, and a NUL. */
void fill(char *text, char c, size_t count);

/* Returns the exit status of a child that runs function(argument); fails the test if a signal ends it. */
int run_in_child(int (*function)(void *argument), void *argument);
