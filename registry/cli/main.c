/*
 * The edge: from argv to a verb. Each verb is in a file of its own and says itself what went wrong.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/harden.h"
#include "common/macros.h"
#include "registry/cli/verbs.h"

#define NAME "registryd"
#define USAGE "Usage: " NAME " <serve|garbage-collect|htpasswd|init|verify|version>\n"

static const char help[] = USAGE
    "\n"
    "A registry for container images (OCI distribution, docker registry v2) with TLS\n"
    "and authentication. Takes the settings, the data and the password file of the\n"
    "image registry:2.\n"
    "\n"
    "  serve [CONFIG]\n"
    "            serve until SIGTERM; SIGHUP has the certificate and users read again\n"
    "  garbage-collect [--dry-run] [--delete-untagged] [--quiet] [--grace TIME]\n"
    "                  [CONFIG]\n"
    "            remove what no manifest names; beside servers, what is not new\n"
    "  htpasswd [-c] [-i|-b] [-C COST] FILE USER [PASSWORD]\n"
    "            add or change a user; -D deletes, -v verifies, -n USER prints a line\n"
    "  init DIR --host NAME --user NAME [--port N] [--password-stdin] [--csr]\n"
    "            lay out a ready folder: configuration, users, certificate, storage\n"
    "  init DIR --renew\n"
    "            make a new certificate for it\n"
    "  verify [CONFIG]\n"
    "            read all data again, and say what is damaged or missing\n"
    "  version   print the version (also --version, -v)\n"
    "\n"
    "CONFIG is a YAML file; without one, REGISTRY_CONFIGURATION_PATH names it, or\n"
    "there is none. Each setting has a variable, too, which has precedence:\n"
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

typedef int verb_function(int argc, char **argv);

static verb_function *find_verb(const char *name)
{
    static const struct { const char *name; verb_function *function; } verbs[] = {
        {"serve", verb_serve}, {"garbage-collect", verb_garbage_collect}, {"htpasswd", verb_htpasswd},
        {"init", verb_init},
        {"verify", verb_verify},
    };

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(name, verbs[i].name) == 0)
            return verbs[i].function;
    return NULL;
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

/* A word that a terminal should not see as it is may be among the arguments. */
static int refuse_verb(const char *name)
{
    char shown[100];
    size_t size = 0;

    for (; *name && size < sizeof(shown) - 1; name++)
        shown[size++] = *name >= 0x20 && *name < 0x7f ? *name : '?';
    fprintf(stderr, NAME ": no such command: %.*s; see " NAME " --help\n", (int)size, shown);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const char *const help_words[] = {"--help", "-h", "help", NULL};
    static const char *const version_words[] = {"--version", "-v", "version", NULL};
    verb_function *verb;

    harden_process();
    if (argc < 2) {
        fputs(USAGE, stderr);
        return EXIT_FAILURE;
    }
    if (is_one_of(argv[1], help_words) || (argc > 2 && is_one_of(argv[2], (const char *const[]){"--help", "-h", NULL})))
        return print(help);
    if (is_one_of(argv[1], version_words))
        return print(version);
    verb = find_verb(argv[1]);
    return verb ? verb(argc - 1, argv + 1) : refuse_verb(argv[1]);
}
