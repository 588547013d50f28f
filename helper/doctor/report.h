#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/macros.h"

/* What the doctor has found. */
enum finding_status {
    FINDING_WARNING, /* a login works, and something should be better */
    FINDING_BAD,     /* a login, or what comes after it, fails */
};

enum { FINDING_COMMANDS = 2 };

struct finding {
    const char *id; /* stable, for machines: "key-expired" */
    enum finding_status status;
    char *what;                       /* what is wrong, with the file or key */
    const char *why;                  /* why that matters */
    char *commands[FINDING_COMMANDS]; /* what mends it, ready to paste */
    bool is_fixable;                  /* by --fix */
    bool is_fixed;
};

struct report {
    struct finding **items; /* each stays where it is */
    size_t count;
    bool is_out_of_memory;
    uint64_t decrypt_us; /* what decrypting took; 0: it was not tried */
    bool is_by_gpg;      /* and that gpg did it, rather than the fast path */
};

/* Adds one; what is a format. It is the report's; where memory is out it goes to nowhere. */
struct finding *report_add(struct report *report, const char *id, enum finding_status status, const char *why,
                           const char *what, ...) PRINTF_LIKE(5, 6);

/* Adds a command to it: every %s in the format is quoted for a shell. Nothing else may be in the format. */
void finding_add_command(struct finding *finding, const char *format, ...) PRINTF_LIKE(2, 3);

size_t report_count_bad(const struct report *report);

/* From the first-th on, for a person; or all as one line of JSON. */
void report_tell(const struct report *report, size_t first);
void report_print_json(struct report *report, FILE *stream);
void report_done(struct report *report);
