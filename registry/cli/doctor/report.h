#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/* What `registryd doctor` has found. */
enum finding_level {
    FINDING_WARNING,   /* clients are served, and something should be better */
    FINDING_BAD,       /* clients are not served, or not safely */
    FINDING_UNCHECKED, /* something could not be looked at, so nothing is known about it */
};

struct finding {
    const char *id; /* stable, for scripts: "certificate-expired" */
    enum finding_level level;
    char *what;      /* what is wrong, and where */
    const char *why; /* why that matters */
    char *command;   /* what mends it, ready to paste; NULL: none is certain to */
};

struct report {
    struct finding *items;
    size_t count;
    bool is_out_of_memory;
};

/* Adds a finding; what is a format. */
void report_add(struct report *report, const char *id, enum finding_level level, const char *why,
                const char *what, ...) PRINTF_LIKE(5, 6);

/* Gives the finding that was added last a command. Each %s in the format is quoted for a shell;
 * nothing else may be in it. */
void report_set_command(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* Says on standard output what was found. 0 or negative. */
int report_print(const struct report *report, struct error *err) MUST_USE;
int report_write_json(const struct report *report, struct error *err) MUST_USE;

/* 0: nothing is bad and everything was checked; 1: something is bad; 2: something was not checked.
 */
int report_exit_status(const struct report *report);
void report_done(struct report *report);
