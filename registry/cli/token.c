/*
 * `registryd token` lists and revokes identity tokens, which clients receive when they log in, and
 * rotates the keys that sign tokens. It works while servers are running.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/printable.h"
#include "common/rfc3339.h"
#include "common/words.h"
#include "registry/access/private-key.h"
#include "registry/access/signing-keys.h"
#include "registry/access/tokens.h"
#include "registry/cli/offline.h"
#include "registry/cli/verbs.h"
#include "registry/config/settings.h"

enum { TOKEN_HELP = 1 };

/* The arguments of the command line; borrowed from argv. */
struct order {
    const char *config;
    const char *user;   /* only tokens of this user; NULL: of every user */
    bool is_all;        /* revoke every token */
    bool distrusts_old; /* rotate: remove the old keys immediately */
    char **ids;
    int id_count;

    size_t matches; /* how many tokens were shown or revoked */
    struct identity_tokens *tokens;
};

/* --- list ------------------------------------------------------------------------------------ */

static const char *format_time(int64_t seconds, char ret_text[RFC3339_SIZE])
{
    if (seconds == 0)
        return "never";
    rfc3339_format(seconds, ret_text);
    return ret_text;
}

static int show_token(void *context, const struct identity_record *record, struct error *err)
{
    struct order *order = context;
    char created[RFC3339_SIZE], used[RFC3339_SIZE], user[IDENTITY_USER_MAX + 1];

    (void)err;
    if (order->user && (record->is_damaged || strcmp(order->user, record->user) != 0))
        return 0;
    if (order->matches++ == 0)
        printf("%-16s  %-20s  %-20s  %-20s  %-16s  %s\n", "ID", "CREATED", "LAST USED", "ADDRESS",
               "CLIENT", "USER");
    if (record->is_damaged) {
        printf("%-16s  damaged: not a record of an identity token; revoke it to remove it\n",
               record->id);
        return 0;
    }
    snprintf(user, sizeof(user), "%s", record->user);
    printable_clean(user);
    printf("%-16s  %-20s  %-20s  %-20s  %-16s  %s\n", record->id,
           format_time(record->created_s, created), format_time(record->used_s, used),
           record->address, *record->client ? record->client : "-", user);
    return 0;
}

static int list_tokens(struct order *order, struct error *err)
{
    if (order->id_count > 0 || order->is_all)
        return error_set(err, EINVAL,
                         "token list takes --user and --config only; see registryd help token");
    return identity_tokens_for_each(order->tokens, show_token, order, err);
}

/* --- revoke ---------------------------------------------------------------------------------- */

static bool is_meant(const struct order *order, const struct identity_record *record)
{
    if (order->is_all ||
        (order->user && !record->is_damaged && strcmp(order->user, record->user) == 0))
        return true;
    for (int i = 0; i < order->id_count; i++)
        if (strcmp(order->ids[i], record->id) == 0)
            return true;
    return false;
}

static int revoke_if_meant(void *context, const struct identity_record *record, struct error *err)
{
    struct order *order = context;
    int r;

    if (!is_meant(order, record))
        return 0;
    r = identity_tokens_revoke(order->tokens, record, err);
    order->matches += r == 0;
    return r;
}

static int check_revocation(const struct order *order, struct error *err)
{
    int ways = (order->id_count > 0) + (order->user != NULL) + order->is_all;

    if (ways == 1)
        return 0;
    return error_set(
        err, EINVAL,
        "token revoke needs IDs of tokens, or --user NAME, or --all; see registryd help token");
}

static int revoke_tokens(struct order *order, struct error *err)
{
    int r = identity_tokens_for_each(order->tokens, revoke_if_meant, order, err);

    if (r < 0)
        return r;
    if (order->matches < (size_t)order->id_count)
        return error_set(err, ENOENT,
                         "only %zu of %d tokens were found and revoked; see registryd token list",
                         order->matches, order->id_count);
    printf("%zu %s revoked; access with them ends within %d minutes\n", order->matches,
           words_plural(order->matches, "token", "tokens"), TOKENS_LIFE_S / 60);
    return 0;
}

/* --- rotate ---------------------------------------------------------------------------------- */

static int rotate_keys(const struct order *order, struct storage *storage, struct error *err)
{
    struct signing_keys *keys;
    int r;

    if (order->id_count > 0 || order->is_all || order->user)
        return error_set(
            err, EINVAL,
            "token rotate takes --distrust-old and --config only; see registryd help token");
    r = signing_keys_open(storage, &keys, err);
    if (r < 0)
        return r;
    r = order->distrusts_old ? signing_keys_distrust(keys, err) : signing_keys_rotate(keys, err);
    signing_keys_close(keys);
    if (r == 0 && order->distrusts_old)
        printf(
            "the old keys were removed; within %d seconds, running servers refuse tokens that "
            "they signed\n",
            SIGNING_KEYS_REFRESH_S);
    else if (r == 0)
        printf(
            "the new key will sign in %d minutes; tokens that older keys signed stay valid until "
            "they expire\n",
            SIGNING_KEYS_SPREAD_S / 60);
    return r;
}

/* --- the command line ------------------------------------------------------------------------ */

/* If the storage has no key, no token was ever issued. In that case no key is created. */
static int run_on_tokens(struct order *order, struct storage *storage, const char *command,
                         struct error *err)
{
    struct storage_object object;
    int r = storage_head(storage, PRIVATE_KEYS "identity", STORAGE_MAY_WAIT, &object, err);

    if (r == STORAGE_NOT_FOUND && strcmp(command, "list") == 0)
        return 0;
    if (r == STORAGE_NOT_FOUND)
        return error_set(err, ENOENT, "no server on this storage has issued tokens");
    if (r == 0)
        r = identity_tokens_open(storage, &order->tokens, err);
    if (r < 0)
        return r;
    r = strcmp(command, "list") == 0 ? list_tokens(order, err) : revoke_tokens(order, err);
    identity_tokens_close(order->tokens);
    return r;
}

static int run_on_storage(struct order *order, const struct settings *settings, const char *command,
                          struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    int r = offline_open_store(settings, &store, err);

    if (r < 0)
        return r;
    if (strcmp(command, "rotate") == 0)
        r = rotate_keys(order, store_get_storage(store), err);
    else
        r = run_on_tokens(order, store_get_storage(store), command, err);
    if (r == 0 && fflush(stdout) != 0)
        return error_set_errno(err, errno, "cannot write to standard output");
    return r;
}

static bool is_command(const char *word)
{
    return strcmp(word, "list") == 0 || strcmp(word, "revoke") == 0 || strcmp(word, "rotate") == 0;
}

/* 0, TOKEN_HELP or negative. */
static int parse(int argc, char **argv, struct order *order, struct error *err)
{
    static const struct option switches[] = {
        {"all", no_argument, NULL, 'a'},
        {"config", required_argument, NULL, 'c'},
        {"distrust-old", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"user", required_argument, NULL, 'u'},
        {0},
    };
    int letter;

    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":ac:dhu:", switches, NULL)) != -1) {
        if (letter == 'h')
            return TOKEN_HELP;
        if (letter == '?' || letter == ':')
            return error_set(
                err, EINVAL,
                "token takes --user NAME, --all, --distrust-old and --config FILE; see registryd "
                "help token");
        if (letter == 'a')
            order->is_all = true;
        else if (letter == 'd')
            order->distrusts_old = true;
        else
            *(letter == 'u' ? &order->user : &order->config) = optarg;
    }
    if (optind == argc || !is_command(argv[optind]))
        return error_set(
            err, EINVAL,
            "token has the commands list, revoke and rotate; see registryd help token");
    order->ids = argv + optind + 1;
    order->id_count = argc - optind - 1;
    if (order->distrusts_old && strcmp(argv[optind], "rotate") != 0)
        return error_set(err, EINVAL,
                         "--distrust-old belongs to token rotate; see registryd help token");
    return strcmp(argv[optind], "revoke") == 0 ? check_revocation(order, err) : 0;
}

static int run(int argc, char **argv, struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct order order = {0};
    int r = parse(argc, argv, &order, err);

    if (r == 0)
        r = settings_load_for_data(order.config, environ, &settings, err);
    return r == 0 ? run_on_storage(&order, settings, order.ids[-1], err) : r;
}

static int run_token(int argc, char **argv)
{
    struct error err = {0};
    int r = run(argc, argv, &err);

    if (r == TOKEN_HELP)
        return verb_print_help(&verb_token);
    return r == 0 ? EXIT_SUCCESS : verb_fail(&err);
}

const struct verb verb_token = {
    .name = "token",
    .function = run_token,
    .help = "Usage: registryd token list [--user NAME] [--config CONFIG]\n"
            "       registryd token revoke ID... [--config CONFIG]\n"
            "       registryd token revoke --user NAME|--all [--config CONFIG]\n"
            "       registryd token rotate [--distrust-old] [--config CONFIG]\n"
            "\n"
            "Shows and revokes the identity tokens that clients received when they logged in.\n"
            "Access with a revoked token ends within five minutes. rotate creates a new key\n"
            "for signing access tokens, as the server itself does every 30 days. All commands\n"
            "work while servers are running.\n"
            "\n"
            "  -u, --user NAME      the tokens of this user\n"
            "  -a, --all            all tokens\n"
            "  -d, --distrust-old   remove the old keys, because one may have been stolen:\n"
            "                       access tokens signed with them end within a minute\n"
            "  -c, --config CONFIG  the server's configuration; without it, the file that\n"
            "                       serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Example:\n"
            "  registryd token list --user alice\n"
            "\n"
            "Exit status: 0; 1 on failure, if an ID is unknown, and for a wrong command line:\n"
            "standard error says why.\n",
};
