#include "helper/setup/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

/* clang-format off */
const char setup_help[] =
    "Usage: docker-credential-pass setup [options]\n"
    "\n"
    "Sets up all that a docker login with an encrypted password needs: a key, a\n"
    "password store, docker's config.json. Moves the unencrypted passwords in that\n"
    "file into the store. Shows what it will do, and asks once.\n"
    "\n"
    "  --key ID          encrypt to this key (default: the store's, or the only one)\n"
    "  --name NAME       the name for a new key, if you have none\n"
    "  --email ADDRESS   its e-mail address\n"
    "  --no-passphrase   a new key without a passphrase, for unattended machines\n"
    "  --subfolder       a key for docker's credentials alone, in an existing store\n"
    "  --host HOST       for one registry (credHelpers) instead of all (credsStore)\n"
    "  --podman          for podman, buildah and skopeo too\n"
    "  --from HELPER     import the logins of docker-credential-HELPER (desktop, ...)\n"
    "  --erase           with --from: remove them from that helper afterwards\n"
    "  --force           replace another credential store in config.json\n"
    "  --yes             do not ask\n"
    "  --dry-run         only show what would be done\n"
    "  --help            this text\n";
/* clang-format on */

enum {
    KEY = 1,
    NAME,
    EMAIL,
    NO_PASSPHRASE,
    SUBFOLDER,
    HOST,
    PODMAN,
    FROM,
    ERASE,
    FORCE,
    YES,
    DRY_RUN,
    HELP
};

static const struct option switches[] = {
    {"key", required_argument, NULL, KEY},
    {"name", required_argument, NULL, NAME},
    {"email", required_argument, NULL, EMAIL},
    {"no-passphrase", no_argument, NULL, NO_PASSPHRASE},
    {"subfolder", no_argument, NULL, SUBFOLDER},
    {"host", required_argument, NULL, HOST},
    {"podman", no_argument, NULL, PODMAN},
    {"from", required_argument, NULL, FROM},
    {"erase", no_argument, NULL, ERASE},
    {"force", no_argument, NULL, FORCE},
    {"yes", no_argument, NULL, YES},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"help", no_argument, NULL, HELP},
    {0},
};

static void take_switch(int letter, struct setup_options *options)
{
    switch (letter) {
    case KEY:
        options->key = optarg;
        break;
    case NAME:
        options->name = optarg;
        break;
    case EMAIL:
        options->email = optarg;
        break;
    case HOST:
        options->host = optarg;
        break;
    case FROM:
        options->from = optarg;
        break;
    case ERASE:
        options->is_erase = true;
        break;
    case NO_PASSPHRASE:
        options->has_no_passphrase = true;
        break;
    case SUBFOLDER:
        options->is_subfolder = true;
        break;
    case PODMAN:
        options->is_podman = true;
        break;
    case FORCE:
        options->is_forced = true;
        break;
    case YES:
        options->is_yes = true;
        break;
    default:
        options->is_dry_run = true;
        break;
    }
}

/* Helpers that create a short-lived token at each request. A stored copy of it would expire. */
static bool creates_tokens(const char *helper)
{
    static const char *const names[] = {"acr-env", "acr-linux", "ecr-login", "gcloud", "gcr"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(helper, names[i]) == 0)
            return true;
    return false;
}

static int check(const struct setup_options *options, struct error *err)
{
    const char *const texts[] = {options->key, options->name, options->email, options->host,
                                 options->from};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i] && !*texts[i])
            return error_set(err, EINVAL, "setup: an option's value is empty");
    if (options->is_podman && options->host)
        return error_set(
            err, EINVAL,
            "setup: --podman and --host exclude each other: podman's login uses a helper for all "
            "registries or for none");
    if (options->from && strcmp(options->from, "pass") == 0)
        return error_set(err, EINVAL, "setup: --from names another helper, not this one");
    if (options->from && strchr(options->from, '/'))
        return error_set(
            err, EINVAL,
            "setup: --from takes the name of a helper: desktop for docker-credential-desktop");
    if (options->from && creates_tokens(options->from))
        return error_set(
            err, EINVAL,
            "setup: docker-credential-%s creates a short-lived token at each request, "
            "and a stored copy would expire; name it in credHelpers for its registries",
            options->from);
    if (options->from && options->host)
        return error_set(
            err, EINVAL,
            "setup: --from and --host exclude each other: all logins of the helper are imported");
    if (options->is_erase && !options->from)
        return error_set(err, EINVAL, "setup: --erase needs --from");
    if (options->key && (options->name || options->email))
        return error_set(err, EINVAL,
                         "setup: --key names an existing key, --name and --email a new one; give "
                         "one or the other");
    return 0;
}

int setup_options_parse(int argc, char **argv, struct setup_options *ret, struct error *err)
{
    struct setup_options options = {0};
    int letter;

    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":h", switches, NULL)) != -1) {
        if (letter == HELP || letter == 'h')
            return SETUP_HELP;
        if (letter == ':')
            return error_set(err, EINVAL, "setup: %s needs a value; see setup --help",
                             argv[optind - 1]);
        if (letter == '?')
            return error_set(err, EINVAL, "setup: no such option: %s; see setup --help",
                             argv[optind - 1]);
        take_switch(letter, &options);
    }
    if (optind < argc)
        return error_set(err, EINVAL, "setup: no such argument: %s; see setup --help",
                         argv[optind]);
    *ret = options;
    return check(ret, err);
}
