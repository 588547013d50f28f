#pragma once

/*
 * What registryd can be told to do, one file a verb. argv[0] is the verb, argv[argc] is NULL; the result is the exit
 * status: 0, or 1 with one line on standard error that says what is wrong. Each runs once, on the main thread.
 */

/* registry/serve.c */
int verb_serve(int argc, char **argv);

/* registry/garbage-collect-command.c */
int verb_garbage_collect(int argc, char **argv);

/* registry/htpasswd-command.c; the exit status is one of those of Apache's htpasswd, up to 7 */
int verb_htpasswd(int argc, char **argv);

/* registry/init-command.c */
int verb_init(int argc, char **argv);

/* registry/verify-command.c */
int verb_verify(int argc, char **argv);
