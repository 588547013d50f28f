#pragma once

#include "registry/access/rules.h"
#include "registry/cli/content/reference.h"
#include "registry/cli/progress-line.h"
#include "registry/cli/verbs.h"
#include "registry/core/store.h"

/*
 * The verbs that show and change the contents of the registry: ls, show, du, rm and tag. Like
 * garbage-collect, they work on the storage itself, whether servers use it or not. The storage's
 * claims prevent conflicts with servers (docs/storage.md). The verbs do not check users' rights;
 * everybody who may read the storage's files may use them. But tags that are immutable for clients
 * are not moved without --force.
 */
struct content_job {
    char **operands; /* borrowed from argv; operands[operand_count] is NULL */
    int operand_count;
    bool is_json, is_dry_run, is_yes, is_quiet, is_forced;
    bool has_terminal;  /* whether standard input is a terminal; unknown after the confinement */
    const char *config; /* NULL: not given */
    struct reference reference; /* the first operand; all zero if there is none */
    struct store *store;
    struct rules *rules;       /* of CONTENT_RULES; NULL: no access file, or is_forced */
    struct progress_line line; /* clear it before anything is printed */
};

enum content_options {
    CONTENT_JSON = 1 << 0,
    CONTENT_DRY_RUN = 1 << 1,
    CONTENT_YES = 1 << 2,
    CONTENT_OF_REPOSITORY = 1 << 3, /* the operand is a whole repository */
    CONTENT_QUIET = 1 << 4,
    CONTENT_RULES = 1 << 5, /* obeys the access file, unless --force is given */
};

/* The command line and the function of one of the verbs. */
struct content_verb {
    const struct verb *verb;
    unsigned options;     /* enum content_options; --config and --help are always taken */
    int least, most;      /* operands */
    const char *operands; /* for the message about a wrong number of operands */
    int (*act)(struct content_job *job, struct error *err);
};

/* Runs a verb: parses its command line, calls its function, and returns its exit status. */
int content_run(int argc, char **argv, const struct content_verb *verb);
