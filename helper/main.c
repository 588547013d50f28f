/*
 * The edge: from argv to a verb, and from its result to words and an exit code. Errors go to
 * stdout, where docker reads them; that is the protocol's custom.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/harden.h"
#include "common/macros.h"
#include "common/printable.h"
#include "gpg/watch.h"
#include "helper/doctor/doctor.h"
#include "helper/protocol.h"
#include "helper/setup/setup.h"

#define NAME "docker-credential-pass"
#define USAGE "Usage: " NAME " <store|get|erase|list|version>\n"

/* The first line is that of Docker's helpers, byte for byte. */
static const char help[] =
    USAGE "\n"
          "Keeps docker's registry credentials in a password store (pass), encrypted with\n"
          "GnuPG. Docker runs it when its config.json says {\"credsStore\": \"pass\"}.\n"
          "\n"
          "  store     read {\"ServerURL\":..,\"Username\":..,\"Secret\":..} and store it\n"
          "  get       read a server URL and print its credential as JSON\n"
          "  erase     read a server URL and remove its credential\n"
          "  list      print all server URLs and usernames as JSON\n"
          "  version   print the version (also --version, -v)\n"
          "\n"
          "For you, each with a --help of its own:\n"
          "\n"
          "  setup     make a key and a store, tell docker, move passwords into the store\n"
          "  doctor    say what is wrong, and how to mend it\n"
          "\n"
          "Requests are read from standard input to its end. Answers go to standard\n"
          "output, and so do errors, with exit code 1.\n"
          "\n"
          "Environment: PASSWORD_STORE_DIR, PASSWORD_STORE_KEY, PASSWORD_STORE_UMASK,\n"
          "PASSWORD_STORE_SIGNING_KEY, PASSWORD_STORE_GPG_OPTS, GNUPGHOME, GPG_TTY,\n"
          "DISPLAY, WAYLAND_DISPLAY, DOCKER_CONFIG, DOCKER_CREDENTIAL_PASS_FAST,\n"
          "DOCKER_CREDENTIAL_PASS_TIMEOUT, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR,\n"
          "XDG_CONFIG_HOME, CONTAINERS_REGISTRIES_CONF, DOCKER_AUTH_CONFIG, SUDO_USER,\n"
          "NO_COLOR.\n"
          "See docker-credential-pass(1).\n";

/*
 * Clients read a pipe and get the usage line alone; at a terminal it is a person, who wants another
 * command.
 */
static const char hint[] = "\n"
                           "Docker runs this program. For you there are:\n"
                           "  " NAME " setup     make a key and a store, and configure docker\n"
                           "  " NAME " doctor    report what is wrong, and how to correct it\n"
                           "  " NAME " --help    all commands\n";

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

/*
 * Returns exit code 1 if the answer cannot be written: a client must not take a part for the whole.
 */
static int print(const void *text, size_t size, int exit_code)
{
    int r = file_write_all(STDOUT_FILENO, text, size);

    if (r < 0)
        fprintf(stderr, NAME ": cannot write to standard output: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : exit_code;
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

/*
 * Clients send requests through a pipe; at a terminal it is a person, who would see nothing happen.
 */
static void tell_person(const struct verb *verb)
{
    if (verb->reads && isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
        fprintf(stderr, NAME ": waiting for %s; end it with Enter and Ctrl-D\n", verb->reads);
}

/*
 * Clients read a pipe, and get Docker's bytes; a person's terminal gets the same JSON with less in
 * it to obey.
 */
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

static int print_usage(void)
{
    int r = print(USAGE, strlen(USAGE), EXIT_FAILURE);

    return isatty(STDOUT_FILENO) ? print(hint, strlen(hint), r) : r;
}

static int refuse_action(const char *action)
{
    struct error err;

    error_set(&err, EINVAL, NAME ": unknown action: %s", action);
    return print_error(&err);
}

/* Called at any point, perhaps in a signal handler. */
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

    harden_process();
    secure_set_last_resort(end_at_once);
    gpg_watch_set_last_resort(end_at_once);
    if (argc > 1 && strcmp(argv[1], "setup") == 0)
        return setup_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        return doctor_main(argc - 1, argv + 1);
    if (argc != 2)
        return print_usage();
    if (is_one_of(argv[1], help_words))
        return print(help, strlen(help), EXIT_SUCCESS);
    if (is_one_of(argv[1], version_words))
        return print(version, strlen(version), EXIT_SUCCESS);
    verb = find_verb(argv[1]);
    if (!verb)
        return refuse_action(argv[1]);
    exit_code = run(verb);
    harden_wipe_stack();
    return exit_code;
}
