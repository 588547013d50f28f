#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/* The findings of `registryd doctor`. */
enum finding_level {
    FINDING_WARNING,   /* clients are served, but something should be improved */
    FINDING_BAD,       /* clients are not served, or not safely */
    FINDING_UNCHECKED, /* something could not be checked */
};

struct finding {
    const char *id; /* stable, for scripts: "certificate-expired" */
    enum finding_level level;
    char *what;      /* what is wrong, and where */
    const char *why; /* why that matters */
    char *command;   /* fixes it, ready to paste; NULL: no command is certain to fix it */
};

struct report {
    struct finding *items;
    size_t count;
    bool is_out_of_memory;
};

/* Adds a finding; what is a format. */
void report_add(struct report *report, const char *id, enum finding_level level, const char *why,
                const char *what, ...) PRINTF_LIKE(5, 6);

/*
 * Sets the command of the finding that was added last. The format may contain only %s, and each
 * argument is quoted for a shell.
 */
void report_set_command(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* Prints the findings. 0 or negative. */
int report_print(const struct report *report, struct error *err) MUST_USE;
int report_write_json(const struct report *report, struct error *err) MUST_USE;

/* 0: nothing is bad and everything was checked; 1: something is bad; 2: something was not checked.
 */
int report_exit_status(const struct report *report);
void report_done(struct report *report);
