#pragma once

/*
 * What registryd can be told to do, one file a verb. argv[0] is the verb, argv[argc] is NULL; the result is the exit
 * status: 0, or 1 with one line on standard error that says what is wrong. Each runs once, on the main thread.
 */

/* registry/cli/serve.c */
int verb_serve(int argc, char **argv);

/* registry/cli/garbage-collect.c */
int verb_garbage_collect(int argc, char **argv);

/* registry/cli/htpasswd.c; the exit status is one of those of Apache's htpasswd, up to 7 */
int verb_htpasswd(int argc, char **argv);

/* registry/cli/init.c */
int verb_init(int argc, char **argv);

/* registry/cli/verify.c */
int verb_verify(int argc, char **argv);
