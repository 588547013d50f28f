#pragma once

#include "registry/cli/content/reference.h"
#include "registry/cli/verbs.h"
#include "registry/core/store.h"

/*
 * The verbs that show and change what the registry holds: ls, show, du, rm and tag. They work on
 * the storage itself, like garbage-collect, whether servers run on it or not: the claims of the
 * storage keep both apart (docs/storage.md). They know no rights, so they are for those who may
 * read the storage's files.
 */
struct content_job {
    char **operands; /* borrowed from argv; operands[operand_count] is NULL */
    int operand_count;
    bool is_json, is_dry_run, is_yes;
    bool has_terminal;  /* standard input is one; it cannot be asked after the confinement */
    const char *config; /* NULL: not given */
    struct reference reference; /* of the first operand; all zero if there is none */
    struct store *store;
};

enum content_options {
    CONTENT_JSON = 1 << 0,
    CONTENT_DRY_RUN = 1 << 1,
    CONTENT_YES = 1 << 2,
    CONTENT_OF_REPOSITORY = 1 << 3, /* the operand is a whole repository */
};

/* What one of the verbs takes and does. */
struct content_verb {
    const struct verb *verb;
    unsigned options;     /* enum content_options; --config and --help are always taken */
    int least, most;      /* operands */
    const char *operands; /* named in the message about a wrong number of them */
    int (*act)(struct content_job *job, struct error *err);
};

/* Runs a verb from its command line to its exit status. */
int content_run(int argc, char **argv, const struct content_verb *verb);
