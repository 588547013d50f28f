#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * A directory below /tmp for one test, which is the working directory while it runs, and functions
 * for files. A failure of any function here ends the test.
 */

/* For cmocka's list of tests. It also fails a test that leaves a descriptor open. */
#define scratch_test(function) scratch_test_with(function, scratch_set_up)
#define scratch_test_with(function, set_up) \
    {#function, scratch_run, set_up, scratch_tear_down, &(scratch_function *){function}}

typedef void scratch_function(void **state);

int scratch_set_up(void **state);
void scratch_run(void **state);
int scratch_tear_down(void **state);

/* The directory, absolute; valid until the test ends. */
const char *scratch_directory(void);

/* These create parent directories, too. */
void make_directory(const char *path);
void make_file(const char *path, const char *text);
void make_link(const char *path, const char *target);

void assert_file_is(const char *path, const char *text);
void assert_is_absent(const char *path);
void assert_mode_is(const char *path, mode_t mode);

/* The directory contains exactly these sorted paths, each with "\n"; directories end with "/". */
void assert_tree_is(const char *directory, const char *tree);
