#pragma once

#include <stddef.h>

/*
 * The system calls by which the filesystem backend changes files, counted from 1: the n-th can
 * fail, or end the process. (The linker's --wrap redirects the calls to these functions.)
 */
enum fault_mode { FAULT_NONE, FAULT_FAIL, FAULT_EXIT };

enum { FAULT_EXIT_STATUS = 77 };

/* Starts counting. code is the errno of the failing call. */
void fault_start(enum fault_mode mode, int at, int code);

/* Called once with the directory of the new name, before the next rename. */
void fault_before_rename(void (*function)(const char *directory));

/* Stops counting; returns whether the n-th call was reached. */
int fault_stop(void);

/*
 * The first letters of the calls since fault_start(): w(rite), d(fdatasync), f(sync), r(enameat)
 * ...
 */
const char *fault_trace(void);
