#pragma once

#include <stdbool.h>

#include "common/error.h"

/*
 * Parses the command lines of the verbs that registry:2 also has, by the rules of its library, Go's
 * pflag: --dry-run, -d, --dry-run=false, -d=false, -md, --grace 24h, --grace=24h, -g24h. Options
 * and the operand may be in any order; "--" ends the options. Names cannot be abbreviated.
 */
struct flag {
    const char *name;
    char letter;       /* 0: none */
    bool *is_set; /* for a switch, which may be followed by =true or =false; or NULL */
    const char **text; /* for an option with a value, borrowed from argv; or NULL */
};

enum { FLAGS_HELP = 1 };

/*
 * The last entry of flags has no name. --help and -h need not be listed. argv[0] is the verb. *ret
 * is the operand, borrowed from argv, or NULL. Returns 0, FLAGS_HELP if the user asks for help, or
 * negative.
 */
int flags_parse(char **argv, const struct flag *flags, const char **ret,
                struct error *err) MUST_USE;
