#pragma once

#include <pthread.h>

#include "registry/core/copy.h"

/* The findings, counts and progress of a copy. Any thread may call these functions. */
struct copy_report {
    const struct copy_options *options; /* borrowed */
    pthread_mutex_t lock; /* protects everything below, and calls of the options' functions */
    struct progress looking, copying;
    struct copy_result result;
};

void copy_report_init(struct copy_report *report, const struct copy_options *options);
void copy_report_done(struct copy_report *report);

/* The first step: how many repositories are looked at, and that one has been. */
void copy_report_look(struct copy_report *report, uint64_t repositories);
void copy_report_looked(struct copy_report *report);

/* Adds to the totals of the second step; a negative number takes away. */
void copy_report_expect(struct copy_report *report, int64_t blobs, int64_t bytes);

/* Adds to what is done of the second step. */
void copy_report_progress(struct copy_report *report, uint64_t blobs, uint64_t bytes);

/* Counts and reports something that cannot be copied. */
void copy_report_damage(struct copy_report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds one to a member of the result. */
void copy_report_count(struct copy_report *report, uint64_t *member);
void copy_report_blob(struct copy_report *report, uint64_t size);
