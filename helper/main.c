/*
 * The command line: runs the verb in argv and turns its result into output and an exit code. The
 * protocol has errors on stdout, where docker reads them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/harden.h"
#include "common/macros.h"
#include "common/printable.h"
#include "gpg/outer-user.h"
#include "gpg/watch.h"
#include "helper/doctor/doctor.h"
#include "helper/help.h"
#include "helper/protocol.h"
#include "helper/setup/setup.h"

#define NAME "docker-credential-pass"

static const char version[] = NAME " (" PACKAGE_NAME ") " PACKAGE_VERSION "\n";

struct verb {
    const char *name;
    int (*function)(struct secbuf *ret_answer, struct error *err);
    const char *reads; /* from standard input; NULL: nothing */
};

static const struct verb *find_verb(const char *name)
{
    static const struct verb verbs[] = {
        {"store", verb_store, "a credential as JSON (shown while you type)"},
        {"get", verb_get, "a server URL"},
        {"erase", verb_erase, "a server URL"},
        {"list", verb_list, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(name, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

/* The exit code is 1 if the answer cannot be written: a client must not use a part of it. */
static int print(const void *text, size_t size, int exit_code)
{
    int r = file_write_all(STDOUT_FILENO, text, size);

    if (r < 0)
        fprintf(stderr, NAME ": cannot write to standard output: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : exit_code;
}

static int print_text(const char *text)
{
    return print(text, strlen(text), EXIT_SUCCESS);
}

static int print_error(const struct error *err)
{
    char line[sizeof(err->text) + 1];
    int length = snprintf(line, sizeof(line), "%s\n", err->text);

    return print(line, (size_t)length, EXIT_FAILURE);
}

static int print_out_of_memory(void)
{
    struct error err;

    error_set_oom(&err);
    return print_error(&err);
}

/* Clients send requests through a pipe. A person at a terminal would see nothing happen. */
static void tell_person(const struct verb *verb)
{
    if (verb->reads && isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
        fprintf(stderr, NAME ": waiting for %s; end it with Enter and Ctrl-D\n", verb->reads);
}

/* Clients read a pipe and get the exact bytes. On a terminal, control characters are escaped. */
static int print_answer(const struct secbuf *answer)
{
    CLEANUP(secbuf_done) struct secbuf shown = {0};
    size_t size;

    if (!answer->size || !isatty(STDOUT_FILENO))
        return print(answer->data, answer->size, EXIT_SUCCESS);
    size = printable_escape_json((const char *)answer->data, answer->size, NULL);
    if (secbuf_reserve(&shown, size) < 0)
        return print_out_of_memory();
    printable_escape_json((const char *)answer->data, answer->size, (char *)shown.data);
    return print(shown.data, size, EXIT_SUCCESS);
}

static int run(const struct verb *verb)
{
    CLEANUP(secbuf_done) struct secbuf answer = {0};
    struct error err = {0};

    tell_person(verb);
    if (verb->function(&answer, &err) < 0)
        return print_error(&err);
    return print_answer(&answer);
}

/* Clients read a pipe and get only the usage line. A person at a terminal gets a hint as well. */
static int print_usage(void)
{
    int r = print(help_usage, strlen(help_usage), EXIT_FAILURE);

    return isatty(STDOUT_FILENO) ? print(help_hint, strlen(help_hint), r) : r;
}

static int refuse_action(const char *action)
{
    struct error err;

    error_set(&err, EINVAL, NAME ": unknown action: %s", action);
    return print_error(&err);
}

/* May be called at any time, even in a signal handler. */
static void end_at_once(const char *line)
{
    if (file_write_all(STDOUT_FILENO, line, strlen(line)) == 0)
        (void)!file_write_all(STDOUT_FILENO, "\n", 1);
    _exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    static const char *const help_words[] = {"--help", "-h", NULL};
    static const char *const version_words[] = {"--version", "-v", "version", NULL};
    const struct verb *verb;
    int exit_code;

    gpg_outer_user_become();
    harden_process();
    secure_set_last_resort(end_at_once);
    gpg_watch_set_last_resort(end_at_once);
    if (argc > 1 && strcmp(argv[1], "setup") == 0)
        return setup_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        return doctor_main(argc - 1, argv + 1);
    if (argc == 3 && is_one_of(argv[2], help_words) && help_find(argv[1]))
        return print_text(help_find(argv[1]));
    if (argc != 2)
        return print_usage();
    if (is_one_of(argv[1], help_words))
        return print_text(help_text);
    if (is_one_of(argv[1], version_words))
        return print_text(version);
    verb = find_verb(argv[1]);
    if (!verb)
        return refuse_action(argv[1]);
    exit_code = run(verb);
    harden_wipe_stack();
    return exit_code;
}
