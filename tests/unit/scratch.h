#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * A folder below /tmp for one test, its working folder while it runs; and what tests do with
 * files. Everything here ends the test where it cannot do what it says.
 */

/* For cmocka's list of tests. The test must not leave a descriptor open, either. */
#define scratch_test(function) scratch_test_with(function, scratch_set_up)
#define scratch_test_with(function, set_up) \
    {#function, scratch_run, set_up, scratch_tear_down, &(scratch_function *){function}}

typedef void scratch_function(void **state);

int scratch_set_up(void **state);
void scratch_run(void **state);
int scratch_tear_down(void **state);

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
