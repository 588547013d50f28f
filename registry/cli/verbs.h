#pragma once

#include "common/error.h"

/*
 * The commands of registryd. argv[0] is the command's name, argv[argc] is NULL. A command returns
 * the exit status: 0, or 1 with one line on standard error that says what is wrong. It runs once,
 * on the main thread.
 */
struct verb {
    const char *name;
    int (*function)(int argc, char **argv);
    const char *help; /* printed by `registryd NAME --help` and `registryd help NAME` */
};

extern const struct verb verb_access;          /* registry/cli/access.c; statuses 0, 1 and 2 */
extern const struct verb verb_doctor; /* registry/cli/doctor/doctor.c; statuses 0, 1 and 2 */
extern const struct verb verb_du;              /* registry/cli/content/du.c */
extern const struct verb verb_ls;              /* registry/cli/content/ls.c */
extern const struct verb verb_rm;              /* registry/cli/content/rm.c */
extern const struct verb verb_show;            /* registry/cli/content/show.c */
extern const struct verb verb_tag;             /* registry/cli/content/tag.c */
extern const struct verb verb_serve;           /* registry/cli/serve/serve.c */
extern const struct verb verb_garbage_collect; /* registry/cli/garbage-collect.c */
/* registry/cli/htpasswd/htpasswd.c; statuses of Apache's htpasswd, up to 7 */
extern const struct verb verb_htpasswd;
extern const struct verb verb_init;            /* registry/cli/init/init.c */
extern const struct verb verb_prune;           /* registry/cli/prune.c */
extern const struct verb verb_robot;           /* registry/cli/robot/robot.c */
extern const struct verb verb_token;           /* registry/cli/token.c */
extern const struct verb verb_copy;            /* registry/cli/copy.c */
extern const struct verb verb_verify;          /* registry/cli/verify.c */

/* Prints the help of a command and returns the exit status. In registry/cli/main.c. */
int verb_print_help(const struct verb *verb);

/* Prints an error after everything that is on standard output. Returns EXIT_FAILURE. */
int verb_fail(const struct error *err);
