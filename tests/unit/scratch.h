#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * A folder below /tmp for one test, its working folder while it runs; and what tests do with
 * files. Everything here ends the test where it cannot do what it says.
 */

/* Fixtures. The second removes the folder, and fails the test if it left a descriptor open. */
int scratch_set_up(void **state);
int scratch_tear_down(void **state);

#define scratch_test(function) cmocka_unit_test_setup_teardown(function, scratch_set_up, scratch_tear_down)

/* The folder, absolute; valid until the test ends. */
const char *scratch_folder(void);

/* Their parents are made too. */
void make_folder(const char *path);
void make_file(const char *path, const char *text);
void make_link(const char *path, const char *target);

void assert_file_is(const char *path, const char *text);
void assert_is_absent(const char *path);
void assert_mode_is(const char *path, mode_t mode);

/* Below folder lies exactly this: paths, folders with "/" at the end, sorted, each with "\n". */
void assert_tree_is(const char *folder, const char *tree);
