#include "helper/setup/key.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpg/home.h"
#include "helper/client/save-check.h"
#include "helper/proof.h"
#include "helper/terminal.h"

void setup_key_done(struct setup_key *key)
{
    free(key->user_id);
    *key = (struct setup_key){0};
}

/* key may be NULL. */
static int take(const struct gpg_key *key, struct setup_key *ret, struct error *err)
{
    if (!key)
        return error_set(err, ENOKEY, "no key can be used");
    snprintf(ret->fingerprint, sizeof(ret->fingerprint), "%s", key->fingerprint);
    ret->user_id = strdup(key->user_id);
    return ret->user_id ? 0 : error_set_oom(err);
}

static bool is_usable(const struct gpg_key *key)
{
    return key->has_secret && key->problem == GPG_KEY_USABLE;
}

/* --- a key by name --------------------------------------------------------------------------- */

/* gpg does not list a secret key behind a forwarded agent, so it is tried. */
static int take_unlisted(struct gpg_context *gpg, const struct gpg_key *key, struct setup_key *ret,
                         struct error *err)
{
    struct error why = {0};

    if (proof_try_key(gpg, key->fingerprint, &why) < 0)
        return error_set(
            err, ENOKEY,
            "gpg lists only the public part of the key %s (%s), and cannot decrypt with it (%s); "
            "import the secret key: gpg --import",
            key->fingerprint, key->user_id, why.text);
    return take(key, ret, err);
}

static int choose_named(struct gpg_context *gpg, const char *name, struct setup_key *ret,
                        struct error *err)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    const struct gpg_key *key;
    int r = gpg_keys_find(gpg, name, false, &keys, err);

    if (r < 0)
        return r;
    if (keys.count == 0)
        return error_set(err, ENOKEY, "gpg's keyring has no key \"%s\"; gpg -K shows yours", name);
    if (keys.count > 1)
        return error_set(err, EINVAL,
                         "%zu keys match \"%s\"; name one by its fingerprint (gpg -K shows them)",
                         keys.count, name);
    key = &keys.items[0];
    if (key->problem != GPG_KEY_USABLE)
        return error_set(err, ENOKEY, "the key %s (%s) %s", key->fingerprint, key->user_id,
                         gpg_key_problem_words(key->problem));
    return key->has_secret ? take(key, ret, err) : take_unlisted(gpg, key, ret, err);
}

/* --- one of several -------------------------------------------------------------------------- */

static void list(const struct gpg_keys *keys)
{
    size_t number = 0;

    fprintf(stderr, "Several keys can be used:\n");
    for (size_t i = 0; i < keys->count; i++)
        if (is_usable(&keys->items[i]))
            terminal_print_line(stderr, "  %zu  %s  %s", ++number, keys->items[i].fingerprint,
                                keys->items[i].user_id);
}

static const struct gpg_key *get_usable(const struct gpg_keys *keys, size_t number)
{
    for (size_t i = 0; i < keys->count; i++)
        if (is_usable(&keys->items[i]) && --number == 0)
            return &keys->items[i];
    return NULL;
}

static int ask_which(const struct gpg_keys *keys, size_t count, struct setup_key *ret,
                     struct error *err)
{
    for (;;) {
        CLEANUP_FREE char *answer = NULL;
        char *end;
        unsigned long number;
        int r =
            terminal_ask_line("Which one should encrypt docker's passwords?", "1", &answer, err);

        if (r < 0)
            return r;
        number = strtoul(answer, &end, 10);
        if (end != answer && !*end && number >= 1 && number <= count)
            return take(get_usable(keys, number), ret, err);
    }
}

/* --- a new one ------------------------------------------------------------------------------- */

static char *standard_name(void)
{
    const struct passwd *user = getpwuid(geteuid());
    size_t size = user ? strcspn(user->pw_gecos, ",") : 0;

    if (size > 0)
        return strndup(user->pw_gecos, size);
    return strdup(user ? user->pw_name : "docker");
}

static char *standard_email(void)
{
    const struct passwd *user = getpwuid(geteuid());
    char host[256] = "localhost", *email = NULL;

    gethostname(host, sizeof(host) - 1);
    return asprintf(&email, "%s@%s", user ? user->pw_name : "docker", host) < 0 ? NULL : email;
}

static int get_text(const char *given, bool can_ask, const char *question, char *(*standard)(void),
                    char **ret, struct error *err)
{
    CLEANUP_FREE char *proposal = NULL;

    if (given) {
        *ret = strdup(given);
        return *ret ? 0 : error_set_oom(err);
    }
    if (!can_ask)
        return error_set(
            err, ENOKEY,
            "there is no key to encrypt to yet: give --name and --email for a new one, or run "
            "this on a terminal");
    proposal = standard();
    return proposal ? terminal_ask_line(question, proposal, ret, err) : error_set_oom(err);
}

/*
 * After su the terminal still belongs to the user who logged in, and gpg's pinentry cannot open it.
 */
static int check_terminal(struct error *err)
{
    const char *tty = getenv("GPG_TTY"); /* gpg_context_new() has set it */

    if (!tty || access(tty, R_OK | W_OK) == 0 || (errno != EACCES && errno != EPERM))
        return 0;
    return error_set(err, ENOTTY,
                     "the terminal %s belongs to another user, as it does after su, so gpg cannot "
                     "ask for the new "
                     "key's passphrase on it; log in as yourself, or start a shell first with: "
                     "script -q /dev/null",
                     tty);
}

static int name_new(const struct setup_options *options, struct setup_key *ret, struct error *err)
{
    bool can_ask = terminal_can_ask() && !options->is_yes;
    CLEANUP_FREE char *name = NULL, *email = NULL;
    int r = options->has_no_passphrase ? 0 : check_terminal(err);

    if (r == 0)
        r = get_text(options->name, can_ask, "Your name, for the new key", standard_name, &name,
                     err);
    if (r == 0)
        r = get_text(options->email, can_ask, "Your e-mail address, for the new key",
                     standard_email, &email, err);
    if (r < 0)
        return r;
    if (strpbrk(name, "<>") || strpbrk(email, "<> ") || !strchr(email, '@'))
        return error_set(
            err, EINVAL,
            "a key's name has no < or > in it, and its e-mail address looks like you@example.com");
    return asprintf(&ret->user_id, "%s <%s>", name, email) < 0 ? error_set_oom(err) : 0;
}

int setup_key_choose(struct gpg_context *gpg, const struct setup_options *options,
                     struct setup_key *ret, struct error *err)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    size_t count = 0;
    int r;

    if (options->key)
        return choose_named(gpg, options->key, ret, err);
    r = gpg_keys_find(gpg, NULL, true, &keys, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < keys.count; i++)
        count += is_usable(&keys.items[i]);
    if (count == 0 || options->name || options->email)
        return name_new(options, ret, err);
    if (count == 1)
        return take(get_usable(&keys, 1), ret, err);
    list(&keys);
    if (terminal_can_ask() && !options->is_yes)
        return ask_which(&keys, count, ret, err);
    return error_set(err, EINVAL,
                     "there are %zu keys that could be used; say which: --key FINGERPRINT", count);
}

/*
 * gpg would only say "General error". A service's home directory is often missing, or not its own.
 */
static int check_gpg_home(struct error *err)
{
    CLEANUP(client_save_check_done) struct client_save_check check = {0};
    CLEANUP_FREE char *file = NULL;
    struct gpg_home home;
    int r;

    if (gpg_home_find(NULL, &home) < 0) /* gpg may know another one */
        return 0;
    if (asprintf(&file, "%s/pubring.kbx", home.path) < 0) {
        file = NULL;
        return error_set_oom(err);
    }
    r = client_save_check(file, CLIENT_SAVE_OVER_LINK, &check, err);
    if (r == 0)
        r = client_save_check_explain(&check, err);
    return r < 0 ? error_wrap(err, "gpg cannot keep a new key") : 0;
}

int setup_key_make(struct gpg_context *gpg, const struct setup_options *options,
                   struct setup_key *key, struct error *err)
{
    int r;

    if (*key->fingerprint)
        return 0;
    r = check_gpg_home(err);
    return r < 0 ? r
                 : gpg_key_generate(gpg, key->user_id, !options->has_no_passphrase,
                                    key->fingerprint, err);
}
