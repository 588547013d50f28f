#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/macros.h"

/* What the doctor has found. */
enum finding_status {
    FINDING_WARNING,   /* a login works, but something should be improved */
    FINDING_BAD,       /* a login, or what comes after it, fails */
    FINDING_UNCHECKED, /* something could not be checked */
};

/* The steps of a login, each tried before any check runs (docs/doctor.md). */
enum report_step {
    STEP_ENCRYPT,
    STEP_DECRYPT,
    STEP_WRITE,
    STEP_ENTRIES,
    STEP_COUNT,
};

enum { STEP_MASK_ALL = (1 << STEP_COUNT) - 1 };

enum report_verdict {
    REPORT_WORKS,   /* every step has passed, and nothing is bad */
    REPORT_FAILS,   /* something is bad */
    REPORT_UNKNOWN, /* nothing is bad, but something was not tried */
};

enum { FINDING_COMMANDS = 2 };

struct finding {
    const char *id; /* stable, for machines: "key-expired" */
    enum finding_status status;
    char *what;                       /* what is wrong, with the file or key */
    const char *why;                  /* why that matters */
    char *commands[FINDING_COMMANDS]; /* corrects it, ready to paste */
    bool is_fixable;                  /* by --fix */
    bool is_fixed;
};

struct report {
    struct finding **items; /* each stays at its address */
    size_t count;
    bool is_out_of_memory;
    uint64_t decrypt_us; /* how long decrypting took; 0: it was not tried */
    bool is_by_gpg;      /* gpg decrypted, not the fast path */

    /* Masks of steps: 1 << STEP_… */
    unsigned failed;  /* tried and failed */
    unsigned untried; /* locked, or not tried */
    unsigned locked;  /* of these: the key needs its passphrase */
    /* what the running check may explain; 0: its findings stand for themselves */
    unsigned explains;
    unsigned explained; /* steps for which something bad was found */
};

/*
 * Adds a finding, owned by the report; what is a format. NULL if memory is exhausted, or if the
 * finding is bad but every step that the running check explains has passed: then a login works
 * nevertheless.
 */
struct finding *report_add(struct report *report, const char *id, enum finding_status status,
                           const char *why, const char *what, ...) PRINTF_LIKE(5, 6);

/*
 * Adds a command to it: every %s in the format is quoted for a shell. Nothing else may be in the
 * format.
 */
void finding_add_command(struct finding *finding, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * The same for a command that only root may run: plain for root, else with sudo, or with su if sudo
 * is not installed.
 */
void finding_add_root_command(struct finding *finding, const char *format, ...) PRINTF_LIKE(2, 3);

size_t report_count_bad(const struct report *report);
enum report_verdict report_judge(const struct report *report);

/* Prints the findings from index first on for a person; or all of them as one line of JSON. */
void report_tell(const struct report *report, size_t first);
void report_print_json(struct report *report, FILE *stream);
void report_done(struct report *report);
