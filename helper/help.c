/* The help of the command line, except that of `setup` and `doctor`. */
#include "helper/help.h"

#include <stdio.h>
#include <string.h>

#include "common/macros.h"

#define NAME "docker-credential-pass"
#define USAGE "Usage: " NAME " <store|get|erase|list|version>\n"

const char help_usage[] = USAGE;

const char help_hint[] = "\n"
                         "Docker runs this program. For you there are:\n"
                         "  " NAME " setup     create a key and a store, and configure docker\n"
                         "  " NAME " doctor    report what is wrong, and how to correct it\n"
                         "  " NAME " --help    all commands\n";

/* clang-format off */
const char help_text[] =
    USAGE
    "\n"
    "Keeps docker's registry credentials in a password store (pass), encrypted with\n"
    "GnuPG. Docker runs it if its config.json says {\"credsStore\": \"pass\"}.\n"
    "\n"
    "  store     read {\"ServerURL\":..,\"Username\":..,\"Secret\":..} and store it\n"
    "  get       read a server URL and print its credential as JSON\n"
    "  erase     read a server URL and remove its credential\n"
    "  list      print all server URLs and usernames as JSON\n"
    "  version   print the version (also --version, -v)\n"
    "\n"
    "For you:\n"
    "\n"
    "  setup     create a key and a store, configure docker, encrypt its passwords\n"
    "  doctor    report what is wrong, and how to correct it\n"
    "\n"
    "Each command has a --help of its own. Requests are read from standard input to\n"
    "its end. Answers go to standard output, and so do errors, with exit code 1.\n"
    "\n"
    "Environment: PASSWORD_STORE_DIR, PASSWORD_STORE_KEY, PASSWORD_STORE_UMASK,\n"
    "PASSWORD_STORE_SIGNING_KEY, PASSWORD_STORE_GPG_OPTS, GNUPGHOME, GPG_TTY,\n"
    "DISPLAY, WAYLAND_DISPLAY, DOCKER_CONFIG, DOCKER_CREDENTIAL_PASS_FAST,\n"
    "DOCKER_CREDENTIAL_PASS_TIMEOUT, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR,\n"
    "XDG_CONFIG_HOME, CONTAINERS_REGISTRIES_CONF, DOCKER_AUTH_CONFIG, SUDO_USER,\n"
    "NO_COLOR.\n"
    "See docker-credential-pass(1).\n";

static const char store_help[] =
    "Usage: " NAME " store\n"
    "\n"
    "Reads a JSON object with the strings ServerURL, Username and Secret from\n"
    "standard input and stores it, encrypted to the keys in the store's .gpg-id. This\n"
    "replaces the server's former credential, even if it has another username. Prints\n"
    "nothing; on failure, prints one line that says why, and exits with 1.\n"
    "\n"
    "docker login does this. By hand, type the JSON, Enter and Ctrl-D:\n"
    "  " NAME " store\n";

static const char get_help[] =
    "Usage: " NAME " get\n"
    "\n"
    "Reads a server URL from standard input and prints its credential as JSON, with\n"
    "the secret in plain text. May ask for the key's passphrase. If there is no\n"
    "credential, prints \"credentials not found in native keychain\" and exits with 1.\n"
    "\n"
    "docker pull does this. By hand:\n"
    "  echo registry.example.com | " NAME " get\n";

static const char erase_help[] =
    "Usage: " NAME " erase\n"
    "\n"
    "Reads a server URL from standard input and removes its credentials. It is not an\n"
    "error if there are none. Prints nothing; on failure, one line that says why, and\n"
    "exits with 1.\n"
    "\n"
    "docker logout does this. By hand:\n"
    "  echo registry.example.com | " NAME " erase\n";

static const char list_help[] =
    "Usage: " NAME " list\n"
    "\n"
    "Prints a JSON object with the username for each server URL. Reads no input,\n"
    "decrypts nothing and does not start gpg.\n";

static const char version_help[] =
    "Usage: " NAME " version\n"
    "\n"
    "Prints the names of the program and its package, and the version.\n";
/* clang-format on */

const char *help_find(const char *verb)
{
    static const struct {
        const char *verb, *text;
    } texts[] = {
        {"store", store_help}, {"get", get_help},         {"erase", erase_help},
        {"list", list_help},   {"version", version_help},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strcmp(verb, texts[i].verb) == 0)
            return texts[i].text;
    return NULL;
}
