/*
 * setup: look, say what would be done, ask once, do it. Docker works at every moment in between: passwords are
 * stored before docker is told of the store, and leave its file in the same write that tells it.
 */
#include "helper/setup/setup.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/process.h"
#include "helper/client/podman.h"
#include "helper/proof.h"
#include "helper/setup/import.h"
#include "helper/setup/key.h"
#include "helper/setup/move.h"
#include "helper/setup/podman.h"
#include "helper/setup/store-init.h"
#include "helper/terminal.h"

#define PROGRAM "docker-credential-pass"
#define STORE "pass" /* what docker calls it */

/* What was found, and what is to be done about it. */
struct setup {
    struct setup_options options;
    struct gpg_context *gpg;
    struct setup_key key;
    char *gpg_id;         /* the store's .gpg-id: existing, or to be written */
    bool needs_store;
    struct setup_plan plan;
    bool needs_docker;    /* docker's config.json has to name the store */
    char *other_store;    /* that it names now; NULL: none */
    nlink_t links;        /* how many names the file has, before it is replaced */
    ino_t inode;
    struct setup_podman podman;
    struct setup_import import;
};

static void setup_done(struct setup *setup)
{
    gpg_context_free(setup->gpg);
    setup_key_done(&setup->key);
    free(setup->gpg_id);
    setup_plan_done(&setup->plan);
    free(setup->other_store);
    setup_podman_done(&setup->podman);
    setup_import_done(&setup->import);
}

/* --- look ------------------------------------------------------------------------------------ */

static int start_gpg(struct setup *setup, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    int r = gpg_options_parse(getenv("PASSWORD_STORE_GPG_OPTS"), &options, err);

    return r < 0 ? r : gpg_context_new(&options, &setup->gpg, err);
}

static int look_at_store(struct setup *setup, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    int r = pass_store_open(&store, err);

    if (r == 0)
        r = setup_store_find(&store, setup->gpg, setup->options.is_subfolder, &setup->gpg_id, err);
    if (r == 0 && setup->options.key)
        return error_set(err, EEXIST, "%s names keys already, and --key does not change them; use pass init to encrypt the "
                         "store again, or --subfolder for a key of docker's own", setup->gpg_id);
    if (r != SETUP_NO_STORE)
        return r;
    setup->needs_store = true;
    setup->gpg_id = setup_store_path(&store, setup->options.is_subfolder);
    if (!setup->gpg_id)
        return error_set_oom(err);
    return setup_key_choose(setup->gpg, &setup->options, &setup->key, err);
}

static int look_at_podman(struct setup *setup, struct error *err)
{
    bool must_override = setup->options.is_forced, is_from;
    int r = setup_podman_find(&setup->podman, err);

    /* Without --podman nothing of podman's is changed, so what cannot be read is no reason to stop. */
    if (!setup->options.is_podman)
        return r == -ENOMEM ? r : 0;
    if (r < 0)
        return r;
    is_from = setup->options.from && client_helpers_is_first(&setup->podman.others, setup->options.from);
    return setup_podman_check(&setup->podman, must_override || is_from, err);
}

static int make_plan(struct setup *setup, struct error *err)
{
    static char files[] = CLIENT_AUTH_FILES;
    char *names[] = {files, NULL};
    const struct client_helpers standard = {.names = names};
    bool is_known = setup->podman.in_force.names != NULL;
    /* With --podman, what is in force because of an earlier run does not count. */
    const struct client_helpers *helpers = !is_known                   ? &standard
                                           : setup->options.is_podman ? &setup->podman.others
                                                                      : &setup->podman.in_force;
    bool is_pass_first = is_known && client_helpers_is_first(&setup->podman.in_force, STORE);

    return setup_plan_make(&setup->options, helpers, is_pass_first, &setup->plan, err);
}

/* The store that docker's file names for what is set up; NULL where it names none. */
static const char *get_named_store(const struct setup *setup)
{
    const struct client_config *config = &setup->plan.docker->config;

    return setup->plan.only ? client_config_get_helper(config, setup->plan.only) : client_config_get_store(config);
}

static int look_at_docker(struct setup *setup, struct error *err)
{
    const struct client_config *config = &setup->plan.docker->config;
    const char *named = get_named_store(setup), *from = setup->options.from;

    setup->needs_docker = !named || strcmp(named, STORE) != 0;
    setup->links = config->exists ? config->stat.st_nlink : 1;
    setup->inode = config->exists ? config->stat.st_ino : 0;
    if (!named || !*named || !setup->needs_docker)
        return 0;
    setup->other_store = strdup(named);
    if (!setup->other_store)
        return error_set_oom(err);
    if (!setup->options.is_forced && !(from && strcmp(named, from) == 0))
        return error_set(err, EEXIST, "%s keeps passwords with docker-credential-%s; --from %s imports its logins, --force "
                         "replaces it without them", config->path, named, named);
    return 0;
}

/* What --erase takes away from the other helper must not be needed there. */
static int check_erase(const struct setup *setup, struct error *err)
{
    const char *helper = setup->options.from;
    const struct client_helpers *in_force = &setup->podman.in_force;

    if (!setup->options.is_erase)
        return 0;
    if (!setup->options.is_podman && in_force->names && client_helpers_has(in_force, helper))
        return error_set(err, EBUSY, "podman, buildah and skopeo use docker-credential-%s too (%s); switch them as well, with "
                         "--podman, or leave out --erase", helper, in_force->source);
    for (size_t i = 0; i < setup->plan.file_count; i++) {
        const struct client_config *config = &setup->plan.files[i].config;
        const char *host = setup_import_find_host(config, helper);

        if (config != &setup->plan.docker->config && host)
            return error_set(err, EBUSY, "%s names docker-credential-%s for %s; correct that first, or leave out --erase",
                             config->path, helper, host);
    }
    return 0;
}

static int look(struct setup *setup, struct error *err)
{
    int r = start_gpg(setup, err);

    if (r == 0)
        r = look_at_store(setup, err);
    if (r == 0)
        r = look_at_podman(setup, err);
    if (r == 0)
        r = make_plan(setup, err);
    if (r == 0)
        r = look_at_docker(setup, err);
    if (r == 0)
        r = check_erase(setup, err);
    if (r == 0 && setup->options.from)
        r = setup_import_find(setup->options.from, &setup->import, err);
    return r;
}

static bool has_work(const struct setup *setup)
{
    return setup->needs_store || setup->needs_docker || setup_plan_count(&setup->plan) > 0 || setup->options.from ||
           (setup->options.is_podman && !setup_podman_is_right(&setup->podman, false));
}

/* --- say ------------------------------------------------------------------------------------- */

static void tell_plan_of_store(const struct setup *setup)
{
    if (!setup->needs_store) {
        terminal_say(stdout, TERMINAL_OK, "the password store has its key: %s", setup->gpg_id);
        return;
    }
    if (*setup->key.fingerprint)
        terminal_say(stdout, TERMINAL_OK, "the key %s (%s) can be used", setup->key.fingerprint, setup->key.user_id);
    else
        terminal_say(stdout, TERMINAL_WOULD, "make a key for %s, %s", setup->key.user_id,
                     setup->options.has_no_passphrase ? "without a passphrase" : "with a passphrase that gpg asks you for");
    if (!*setup->key.fingerprint && setup->options.has_no_passphrase)
        terminal_explain(stdout, "Without a passphrase, whoever can read your files can read the passwords; what they are "
                         "then safe from is a copied config.json, a log, a backup without the key.");
    terminal_say(stdout, TERMINAL_WOULD, "make the password store: write the key's fingerprint into %s", setup->gpg_id);
}

static void tell_plan_of_docker(const struct setup *setup)
{
    const char *host = setup->plan.only, *path = setup->plan.docker->config.path;

    if (!setup->needs_docker)
        terminal_say(stdout, TERMINAL_OK, "docker keeps passwords%s%s in the store: %s", host ? " for " : "", host ? host : "",
                     path);
    else
        terminal_say(stdout, TERMINAL_WOULD, "tell docker to keep passwords%s%s in the store%s%s: \"%s\" in %s",
                     host ? " for " : "", host ? host : "", setup->other_store ? " instead of " : "",
                     setup->other_store ? setup->other_store : "", host ? "credHelpers" : "credsStore", path);
}

static void tell_plan(const struct setup *setup)
{
    bool is_right = setup->options.is_podman && setup_podman_is_right(&setup->podman, false);

    tell_plan_of_store(setup);
    if (setup->needs_store)
        terminal_say(stdout, TERMINAL_WOULD, "encrypt and decrypt a text, to see that it works");
    tell_plan_of_docker(setup);
    if (setup->options.is_podman)
        terminal_say(stdout, is_right ? TERMINAL_OK : TERMINAL_WOULD,
                     is_right ? "podman, buildah and skopeo use the store: %s"
                              : "tell podman, buildah and skopeo to use the store: %s",
                     is_right ? setup->podman.in_force.source : setup->podman.path);
    setup_import_tell(&setup->import);
    setup_plan_tell(&setup->plan, true);
}

/* docker finds a helper by its name alone. */
static void warn_of_path(void)
{
    CLEANUP_FREE char *found = NULL;
    char own[4096];
    ssize_t size;

    if (process_find(PROGRAM, &found) != -ENOENT)
        return;
    size = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[size > 0 ? size : 0] = '\0';
    terminal_say(stdout, TERMINAL_WARNING, "docker will not find this program, for it is in no folder of PATH as " PROGRAM
                 "; copy it to one:");
    terminal_show_command(stdout, "install %s /usr/local/bin/" PROGRAM, own);
}

/* --- do -------------------------------------------------------------------------------------- */

static int make_store(struct setup *setup, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    bool is_new = !*setup->key.fingerprint;
    int r;

    if (!setup->needs_store)
        return 0;
    r = setup_key_make(setup->gpg, &setup->options, &setup->key, err);
    if (r < 0)
        return r;
    if (is_new)
        terminal_say(stdout, TERMINAL_DONE, "made the key %s", setup->key.fingerprint);
    r = pass_store_open(&store, err);
    if (r == 0)
        r = setup_store_init(&store, setup->options.is_subfolder, setup->key.fingerprint, err);
    if (r < 0)
        return r;
    terminal_say(stdout, TERMINAL_DONE, "made the password store %s", setup->gpg_id);
    return 0;
}

static int prove(const struct setup *setup, struct error *err)
{
    struct proof proof;
    int r;

    proof_run(GPG_PINENTRY_DEFAULT, &proof);
    r = proof_check(&proof, err);
    if (r < 0)
        return r;
    if (setup->needs_store)
        terminal_say(stdout, TERMINAL_DONE, "encrypted and decrypted a text");
    return 0;
}

static int change_podman(struct setup *setup, struct error *err)
{
    int r;

    if (!setup->options.is_podman || setup_podman_is_right(&setup->podman, setup->plan.needs_files))
        return 0;
    r = setup_podman_write(&setup->podman, setup->plan.needs_files, err);
    if (r < 0)
        return r;
    terminal_say(stdout, TERMINAL_DONE, "podman, buildah and skopeo use the store%s",
                 setup->plan.needs_files ? ", and read their files after it: a login that the store cannot take goes there, "
                                           "unencrypted" : "");
    return 0;
}

/* In memory: everything goes into one write, so that docker has every password at each moment. */
static int change_docker(struct setup *setup, struct error *err)
{
    struct client_config *config = &setup->plan.docker->config;
    int r = setup_moves_take_out(&setup->plan, err);

    if (r == 0 && setup->needs_docker)
        r = setup->plan.only ? client_config_set_helper(config, setup->plan.only, STORE, err)
                             : client_config_set_store(config, STORE, err);
    if (r == 0 && setup->import.helper)
        r = setup_import_switch(&setup->import, config, err);
    return r == 0 ? setup_moves_name_helpers(&setup->plan, err) : r;
}

static bool is_changed(const struct client_config *config)
{
    return !secbuf_is_equal(&config->text, &config->on_disk);
}

/* Docker's file first: it says where docker looks for what the others lose. */
static int save_files(struct setup *setup, struct error *err)
{
    int r = is_changed(&setup->plan.docker->config) ? client_config_save(&setup->plan.docker->config, err) : 0;

    for (size_t i = 0; r == 0 && i < setup->plan.file_count; i++)
        if (is_changed(&setup->plan.files[i].config))
            r = client_config_save(&setup->plan.files[i].config, err);
    return r;
}

/* Every login is in the store before any file changes, and podman is told before its files lose one. */
static int change_clients(struct setup *setup, struct error *err)
{
    int r = setup->import.helper ? setup_import_store(&setup->import, err) : 0;

    if (r == 0)
        r = setup_moves_store(&setup->plan, err);
    if (r == 0)
        r = change_podman(setup, err);
    if (r == 0)
        r = change_docker(setup, err);
    if (r == 0)
        r = save_files(setup, err);
    if (r < 0)
        return r;
    if (setup->needs_docker)
        terminal_say(stdout, TERMINAL_DONE, "docker keeps passwords in the store");
    setup_import_tell(&setup->import);
    setup_plan_tell(&setup->plan, false);
    return setup->options.is_erase ? setup_import_erase(&setup->import, err) : 0;
}

static int act(struct setup *setup, struct error *err)
{
    int r = make_store(setup, err);

    if (r == 0)
        r = prove(setup, err);
    return r == 0 ? change_clients(setup, err) : r;
}

/* 1 to go on, 0 not to, or negative. */
static int ask(const struct setup *setup, struct error *err)
{
    if (setup->options.is_yes)
        return 1;
    if (!terminal_can_ask())
        return error_set(err, ECANCELED, "there is no terminal to ask on; say --yes to have this done, --dry-run to see it "
                         "alone");
    fflush(stdout);
    return terminal_ask_yes("Go on?", true, err);
}

static bool has_moved(const struct setup_plan *plan, const struct setup_file *file)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->moves[i].file == file && plan->moves[i].result == SETUP_MOVE_DONE)
            return true;
    return false;
}

/* What a user must know of copies and of clients that go their own way. */
static void warn_of_rest(const struct setup *setup)
{
    const struct client_config *config = &setup->plan.docker->config;

    if (setup->links > 1 && has_moved(&setup->plan, setup->plan.docker)) {
        terminal_say(stdout, TERMINAL_WARNING, "%s had %zu more hard links, which keep the passwords unencrypted; find and "
                     "remove them:", config->path, (size_t)setup->links - 1);
        terminal_show_command(stdout, "find / -xdev -inum %ju", (uintmax_t)setup->inode);
    }
    if (setup->options.is_podman && client_podman_writes_to_docker())
        terminal_say(stdout, TERMINAL_WARNING, "DOCKER_CONFIG is set: newer versions of podman login, buildah login and "
                     "skopeo login then write a new password unencrypted into %s, whatever helpers are configured. Run them "
                     "as: env -u DOCKER_CONFIG podman login HOST", config->path);
}

/* Where nothing is to be done, a login must work; whether the passphrase is known is another matter, and asked by nobody. */
static int finish_without_work(const struct setup *setup, struct error *err)
{
    struct proof proof;
    int r;

    proof_run(GPG_PINENTRY_ERROR, &proof);
    r = proof_check(&proof, err);
    if (r < 0)
        return error_wrap(err, "there is nothing to set up, but a login would not work");
    warn_of_rest(setup);
    terminal_print_line(stdout, "Nothing is to be done. Log in: docker login %s",
                        setup->options.host ? setup->options.host : "HOST");
    return 0;
}

static int run(struct setup *setup, struct error *err)
{
    const char *host = setup->options.host ? setup->options.host : "HOST";
    int r = look(setup, err);

    if (r < 0)
        return r;
    tell_plan(setup);
    warn_of_path();
    if (!has_work(setup))
        return finish_without_work(setup, err);
    if (setup->options.is_dry_run)
        return 0;
    r = ask(setup, err);
    if (r <= 0)
        return r < 0 ? r : error_set(err, ECANCELED, "nothing was changed");
    r = act(setup, err);
    if (r < 0)
        return r;
    warn_of_rest(setup);
    terminal_print_line(stdout, "Ready. Log in: docker login %s", host);
    return 0;
}

int setup_main(int argc, char **argv)
{
    CLEANUP(setup_done) struct setup setup = {0};
    struct error err = {0};
    int r = setup_options_parse(argc, argv, &setup.options, &err);

    if (r == SETUP_HELP) {
        fputs(setup_help, stdout);
        return EXIT_SUCCESS;
    }
    if (r == 0)
        r = run(&setup, &err);
    fflush(stdout);
    if (r < 0)
        fprintf(stderr, PROGRAM ": %s\n", err.text);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
