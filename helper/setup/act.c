#include "helper/setup/act.h"

#include <stdio.h>

#include "helper/proof.h"
#include "helper/setup/move.h"
#include "helper/setup/store-init.h"
#include "helper/setup/tell.h"
#include "helper/terminal.h"

/* --- the store ------------------------------------------------------------------------------- */

static int make_store(struct setup_state *state, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    bool is_new = !*state->key.fingerprint;
    int r;

    if (!state->needs_store)
        return 0;
    r = setup_key_make(state->gpg, &state->options, &state->key, err);
    if (r < 0)
        return r;
    if (is_new)
        terminal_say(stdout, TERMINAL_DONE, "generated the key %s", state->key.fingerprint);
    r = pass_store_open(&store, err);
    if (r == 0)
        r = setup_store_init(&store, state->options.is_subfolder, state->key.fingerprint, err);
    if (r < 0)
        return r;
    terminal_say(stdout, TERMINAL_DONE, "created the password store %s", state->gpg_id);
    return 0;
}

static int prove_store(const struct setup_state *state, struct error *err)
{
    struct proof proof;
    int r;

    proof_run(GPG_PINENTRY_DEFAULT, &proof);
    r = proof_check(&proof, err);
    if (r < 0)
        return r;
    if (state->needs_store)
        terminal_say(stdout, TERMINAL_DONE, "encrypted and decrypted a text");
    return 0;
}

/* --- the clients ----------------------------------------------------------------------------- */

static int change_podman(struct setup_state *state, struct error *err)
{
    bool needs_files = state->plan.needs_files;
    int r;

    if (!state->options.is_podman || setup_podman_is_right(&state->podman, needs_files))
        return 0;
    r = setup_podman_write(&state->podman, needs_files, err);
    if (r < 0)
        return r;
    terminal_say(stdout, TERMINAL_DONE, "podman, buildah and skopeo use the store%s",
                 needs_files ? ", and read their files after it: a login that the store cannot "
                               "take goes there, unencrypted"
                             : "");
    return 0;
}

/* In memory: everything goes into one write, so that docker has every password at each moment. */
static int change_docker(struct setup_state *state, struct error *err)
{
    struct client_config *config = &state->plan.survey.docker->config;
    const char *host = state->plan.survey.only;
    int r = setup_moves_take_out(&state->plan, err);

    if (r == 0 && state->needs_docker)
        r = host ? client_config_set_helper(config, host, SETUP_HELPER, err)
                 : client_config_set_creds_store(config, SETUP_HELPER, err);
    if (r == 0 && state->import.helper)
        r = setup_import_switch(&state->import, config, err);
    return r == 0 ? setup_moves_name_helpers(&state->plan, err) : r;
}

static int save_if_changed(struct client_config *config, struct error *err)
{
    return secbuf_is_equal(&config->text, &config->on_disk) ? 0 : client_config_save(config, err);
}

/* docker's file comes first: it tells docker where to find what the other files lose. */
static int save_files(struct setup_state *state, struct error *err)
{
    struct client_survey *survey = &state->plan.survey;
    int r = save_if_changed(&survey->docker->config, err);

    for (size_t i = 0; r == 0 && i < survey->file_count; i++)
        r = save_if_changed(&survey->files[i].config, err);
    return r;
}

/*
 * Every login is in the store before any file changes, and podman is configured before its files
 * lose one.
 */
static int change_clients(struct setup_state *state, struct error *err)
{
    int r = state->import.helper ? setup_import_store(&state->import, err) : 0;

    if (r == 0)
        r = setup_moves_store(&state->plan, err);
    if (r == 0)
        r = change_podman(state, err);
    if (r == 0)
        r = change_docker(state, err);
    return r == 0 ? save_files(state, err) : r;
}

int setup_act(struct setup_state *state, struct error *err)
{
    int r = make_store(state, err);

    if (r == 0)
        r = prove_store(state, err);
    if (r == 0)
        r = change_clients(state, err);
    if (r == 0)
        r = setup_leftovers_remove(&state->leftovers, &state->plan, err);
    if (r < 0)
        return r;
    if (state->needs_docker)
        terminal_say(stdout, TERMINAL_DONE, "docker keeps passwords in the store");
    setup_import_tell(&state->import);
    setup_tell_moves(&state->plan);
    setup_leftovers_tell(&state->leftovers, false);
    return state->options.is_erase ? setup_import_erase(&state->import, err) : 0;
}
