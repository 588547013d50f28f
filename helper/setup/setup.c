/*
 * setup: look, say what would be done, ask once, do it. Whatever comes between, docker goes on to work: passwords are
 * stored before docker is told of the store, and leave its file in the same write that tells it.
 */
#include "helper/setup/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/process.h"
#include "helper/client/docker.h"
#include "helper/setup/key.h"
#include "helper/setup/move.h"
#include "helper/setup/podman.h"
#include "helper/setup/store-init.h"
#include "helper/terminal.h"
#include "helper/vault.h"

#define PROGRAM "docker-credential-pass"
#define STORE "pass" /* what docker calls it */

/* What was found, and what is to be done about it. */
struct setup {
    struct setup_options options;
    struct gpg_context *gpg;
    struct setup_key key;
    char *gpg_id;         /* the store's .gpg-id: there, or to be written */
    bool needs_store;
    struct client_config docker;
    bool needs_docker;    /* its config.json has to name the store */
    char *other_store;    /* that it names now; NULL: none */
    struct setup_moves moves;
    struct setup_podman podman;
    struct client_config auth; /* podman's own file of logins */
    struct setup_moves auth_moves;
};

static void setup_done(struct setup *setup)
{
    gpg_context_free(setup->gpg);
    setup_key_done(&setup->key);
    free(setup->gpg_id);
    client_config_done(&setup->docker);
    free(setup->other_store);
    setup_moves_done(&setup->moves);
    setup_podman_done(&setup->podman);
    client_config_done(&setup->auth);
    setup_moves_done(&setup->auth_moves);
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

/* The store that docker's file names for what is set up; NULL where it names none. */
static const char *get_named_store(const struct setup *setup)
{
    return setup->options.host ? client_config_get_helper(&setup->docker, setup->options.host)
                               : client_config_get_store(&setup->docker);
}

static int look_at_docker(struct setup *setup, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    const char *named;
    int r = client_docker_find(&path, err);

    if (r == 0)
        r = client_config_open(path, &setup->docker, err);
    if (r < 0)
        return r;
    named = get_named_store(setup);
    setup->needs_docker = !named || strcmp(named, STORE) != 0;
    if (named && *named && setup->needs_docker) {
        setup->other_store = strdup(named);
        if (!setup->other_store)
            return error_set_oom(err);
        if (!setup->options.is_forced)
            return error_set(err, EEXIST, "%s keeps passwords with docker-credential-%s; --force has it use this one instead "
                             "(log in again then: what the other store has is not moved)", setup->docker.path, named);
    }
    return setup_moves_find(&setup->docker, setup->options.host, &setup->moves, err);
}

static int look_at_podman(struct setup *setup, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    int r;

    if (!setup->options.is_podman)
        return 0;
    r = setup_podman_find(&setup->podman, err);
    if (r == 0)
        r = client_config_find_podman(&path, err);
    if (r == 0)
        r = client_config_open(path, &setup->auth, err);
    return r < 0 ? r : setup_moves_find(&setup->auth, NULL, &setup->auth_moves, err);
}

static int look(struct setup *setup, struct error *err)
{
    int r = start_gpg(setup, err);

    if (r == 0)
        r = look_at_store(setup, err);
    if (r == 0)
        r = look_at_docker(setup, err);
    return r < 0 ? r : look_at_podman(setup, err);
}

static bool has_work(const struct setup *setup)
{
    return setup->needs_store || setup->needs_docker || setup_moves_count(&setup->moves) > 0 ||
           (setup->options.is_podman && (!setup->podman.is_right || setup_moves_count(&setup->auth_moves) > 0));
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
    const char *host = setup->options.host;

    if (!setup->needs_docker)
        terminal_say(stdout, TERMINAL_OK, "docker keeps passwords%s%s in the store: %s", host ? " for " : "", host ? host : "",
                     setup->docker.path);
    else
        terminal_say(stdout, TERMINAL_WOULD, "tell docker to keep passwords%s%s in the store%s%s: \"%s\" in %s",
                     host ? " for " : "", host ? host : "", setup->other_store ? " instead of " : "",
                     setup->other_store ? setup->other_store : "", host ? "credHelpers" : "credsStore", setup->docker.path);
    setup_moves_tell(&setup->moves, setup->docker.path, true);
}

static void tell_plan(const struct setup *setup)
{
    tell_plan_of_store(setup);
    if (setup->needs_store)
        terminal_say(stdout, TERMINAL_WOULD, "encrypt and decrypt a text, to see that it works");
    tell_plan_of_docker(setup);
    if (!setup->options.is_podman)
        return;
    terminal_say(stdout, setup->podman.is_right ? TERMINAL_OK : TERMINAL_WOULD,
                 setup->podman.is_right ? "podman, buildah and skopeo use the store: %s"
                                        : "tell podman, buildah and skopeo to use the store: %s", setup->podman.path);
    setup_moves_tell(&setup->auth_moves, setup->auth.path, true);
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
    struct vault_proof proof;
    int r;

    r = vault_prove(GPG_PINENTRY_DEFAULT, &proof, err);
    if (r < 0)
        return r;
    if (setup->needs_store)
        terminal_say(stdout, TERMINAL_DONE, "encrypted and decrypted a text");
    return 0;
}

/* Both in one write, so that docker has every password at each moment. */
static int change_docker(struct setup *setup, struct error *err)
{
    int r = setup_moves_store(&setup->moves, err);

    if (r == 0)
        r = setup_moves_take_out(&setup->moves, &setup->docker, err);
    if (r == 0 && setup->needs_docker)
        r = setup->options.host ? client_config_set_helper(&setup->docker, setup->options.host, STORE, err)
                                : client_config_set_store(&setup->docker, STORE, err);
    if (r == 0)
        r = client_config_save(&setup->docker, err);
    if (r < 0)
        return r;
    if (setup->needs_docker)
        terminal_say(stdout, TERMINAL_DONE, "docker keeps passwords in the store");
    setup_moves_tell(&setup->moves, setup->docker.path, false);
    return 0;
}

static int change_podman(struct setup *setup, struct error *err)
{
    int r;

    if (!setup->options.is_podman)
        return 0;
    r = setup_moves_store(&setup->auth_moves, err);
    if (r == 0 && !setup->podman.is_right)
        r = setup_podman_write(&setup->podman, err);
    if (r == 0)
        r = setup_moves_take_out(&setup->auth_moves, &setup->auth, err);
    if (r == 0 && setup_moves_count(&setup->auth_moves) > 0)
        r = client_config_save(&setup->auth, err);
    if (r < 0)
        return r;
    if (!setup->podman.is_right)
        terminal_say(stdout, TERMINAL_DONE, "podman, buildah and skopeo use the store");
    setup_moves_tell(&setup->auth_moves, setup->auth.path, false);
    return 0;
}

static int act(struct setup *setup, struct error *err)
{
    int r = make_store(setup, err);

    if (r == 0)
        r = prove(setup, err);
    if (r == 0 && (setup->needs_docker || setup_moves_count(&setup->moves) > 0))
        r = change_docker(setup, err);
    return r < 0 ? r : change_podman(setup, err);
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

static int run(struct setup *setup, struct error *err)
{
    int r = look(setup, err);

    if (r < 0)
        return r;
    tell_plan(setup);
    warn_of_path();
    if (!has_work(setup)) {
        terminal_print_line(stdout, "Nothing is to be done. Log in: docker login %s",
                            setup->options.host ? setup->options.host : "HOST");
        return 0;
    }
    if (setup->options.is_dry_run)
        return 0;
    r = ask(setup, err);
    if (r <= 0)
        return r < 0 ? r : error_set(err, ECANCELED, "nothing was changed");
    r = act(setup, err);
    if (r == 0)
        terminal_print_line(stdout, "Ready. Log in: docker login %s", setup->options.host ? setup->options.host : "HOST");
    return r;
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
