/*
 * Finds the command that argv names. Each command has its own file or directory and reports its own
 * errors.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/harden.h"
#include "common/macros.h"
#include "registry/cli/verbs.h"

#define NAME "registryd"
#define USAGE \
    "Usage: " NAME " <serve|access|copy|doctor|du|garbage-collect|htpasswd|init|ls|\n" \
    "                  prune|rm|robot|show|tag|token|verify|help>\n"

static const char help[] = USAGE
    "\n"
    "A registry for container images (OCI distribution, docker registry v2) with TLS\n"
    "and authentication. Accepts the settings, the data and the password file of the\n"
    "image registry:2.\n"
    "\n"
    "  serve [CONFIG]\n"
    "            serve until SIGTERM; SIGHUP reloads certificate, users and rules\n"
    "  access check FILE, access explain USER ACTION REPOSITORY\n"
    "            look for mistakes in rules; say which rule decides\n"
    "  copy --from CONFIG --to CONFIG [OPTIONS]\n"
    "            copy a registry to another directory or bucket\n"
    "  doctor [CONFIG]\n"
    "            find problems of a registry, and say how to fix them\n"
    "  du [REPOSITORY]\n"
    "            show how much space each repository takes\n"
    "  garbage-collect [OPTIONS] [CONFIG]\n"
    "            remove the blobs that no manifest refers to\n"
    "  htpasswd [OPTIONS] FILE USER [PASSWORD]\n"
    "            add, change, delete or verify a user of the password file\n"
    "  init DIR --host NAME --user NAME [OPTIONS]\n"
    "            create a directory with configuration, users, certificate, storage\n"
    "  ls [REPOSITORY]\n"
    "            list the repositories, or the tags of one\n"
    "  prune [OPTIONS] [CONFIG]\n"
    "            remove the tags and manifests that the access file does not keep\n"
    "  rm REPOSITORY:TAG, rm REPOSITORY@DIGEST\n"
    "            remove a tag or a manifest\n"
    "  robot create NAME [OPTIONS], robot list, robot revoke NAME\n"
    "            manage the logins of programs such as CI\n"
    "  show REPOSITORY:TAG\n"
    "            describe an image: layers, configuration, signatures\n"
    "  tag REPOSITORY:TAG NEW-TAG\n"
    "            give a manifest another tag\n"
    "  token list, token revoke ID...\n"
    "            show and revoke the tokens that clients received when they logged in\n"
    "  verify [CONFIG]\n"
    "            read all data again and report what is damaged or missing\n"
    "  help COMMAND\n"
    "            explain a command (also COMMAND --help)\n"
    "  version   print the version (also --version, -v)\n"
    "\n"
    "CONFIG is a YAML file. Without it, REGISTRY_CONFIGURATION_PATH names the file.\n"
    "If that is unset, too, it is the service's file unless a variable below is set,\n"
    "or /etc/docker/registry/config.yml if it exists. \"registryd config.yml\" serves.\n"
    "Each setting has a variable, which has precedence over the file:\n"
    "\n"
    "  REGISTRY_AUTH=htpasswd        REGISTRY_HTTP_ADDR=:5000\n"
    "  REGISTRY_AUTH_HTPASSWD_REALM  REGISTRY_HTTP_HOST=https://example.com\n"
    "  REGISTRY_AUTH_HTPASSWD_PATH   REGISTRY_HTTP_TLS_CERTIFICATE\n"
    "  REGISTRY_LOG_LEVEL            REGISTRY_HTTP_TLS_KEY\n"
    "  REGISTRY_STORAGE_DELETE_ENABLED=true\n"
    "  REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/var/lib/registry\n"
    "\n"
    "See registryd(1) for all of them.\n";

static const char version[] = NAME " (" PACKAGE_NAME ") " PACKAGE_VERSION "\n";

static int run_version(int argc, char **argv);
static int run_help(int argc, char **argv);

static const struct verb verb_version = {
    .name = "version",
    .function = run_version,
    .help = "Usage: registryd version\n"
            "\n"
            "Prints the name of the program, of its package, and the version. Also --version\n"
            "and -v.\n"
            "\n"
            "Exit status: 0, or 1 if standard output cannot be written.\n",
};

static const struct verb verb_help = {
    .name = "help",
    .function = run_help,
    .help = "Usage: registryd help [COMMAND]\n"
            "\n"
            "Explains a command, or lists all commands. Also COMMAND --help.\n"
            "\n"
            "Example:\n"
            "  registryd help init\n"
            "\n"
            "Exit status: 0, or 1 if there is no such command.\n",
};

static const struct verb *find_verb(const char *name)
{
    static const struct verb *const verbs[] = {
        &verb_serve, &verb_access, &verb_copy,  &verb_doctor, &verb_du,      &verb_garbage_collect,
        &verb_help,  &verb_htpasswd, &verb_init, &verb_ls,    &verb_prune,   &verb_rm,
        &verb_robot, &verb_show,   &verb_tag,   &verb_token,  &verb_verify,  &verb_version,
    };

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(name, verbs[i]->name) == 0)
            return verbs[i];
    return NULL;
}

/* `registryd config.yml` means `registryd serve config.yml`, as in the image registry:2. */
static bool is_configuration(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && *name != '-' && (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static int print(const char *text)
{
    int r = file_write_all(STDOUT_FILENO, text, strlen(text));

    if (r < 0)
        fprintf(stderr, NAME ": cannot write to standard output: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int verb_print_help(const struct verb *verb)
{
    return print(verb->help);
}

int verb_fail(const struct error *err)
{
    fflush(stdout);
    fprintf(stderr, NAME ": %s\n", err->text);
    return EXIT_FAILURE;
}

/* Replaces control characters in the name, which comes from the command line. */
static int refuse_verb(const char *name)
{
    char shown[100];
    size_t size = 0;

    for (; *name && size < sizeof(shown) - 1; name++)
        shown[size++] = *name >= 0x20 && *name < 0x7f ? *name : '?';
    fprintf(stderr, NAME ": no such command: %.*s; see " NAME " --help\n", (int)size, shown);
    return EXIT_FAILURE;
}

/* Further words are ignored, as usual for --version. */
static int run_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return print(version);
}

static int run_help(int argc, char **argv)
{
    const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;

    if (argc < 2)
        return print(help);
    return verb ? verb_print_help(verb) : refuse_verb(argv[1]);
}

int main(int argc, char **argv)
{
    static const char *const help_words[] = {"--help", "-h", NULL};
    static const char *const version_words[] = {"--version", "-v", NULL};
    const struct verb *verb;

    harden_process();
    if (argc < 2) {
        fputs(USAGE, stderr);
        return EXIT_FAILURE;
    }
    if (is_one_of(argv[1], help_words))
        return print(help);
    if (is_one_of(argv[1], version_words))
        return print(version);
    if (is_configuration(argv[1]))
        return verb_serve.function(argc, argv);
    verb = find_verb(argv[1]);
    if (!verb)
        return refuse_verb(argv[1]);
    if (argc > 2 && is_one_of(argv[2], help_words))
        return verb_print_help(verb);
    return verb->function(argc - 1, argv + 1);
}
