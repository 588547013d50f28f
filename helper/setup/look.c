#include "helper/setup/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/process.h"
#include "helper/client/podman.h"
#include "helper/client/save-check.h"
#include "helper/setup/store-init.h"

void setup_state_done(struct setup_state *state)
{
    gpg_context_free(state->gpg);
    setup_key_done(&state->key);
    free(state->gpg_id);
    setup_plan_done(&state->plan);
    free(state->other_helper);
    setup_podman_done(&state->podman);
    setup_import_done(&state->import);
    setup_leftovers_done(&state->leftovers);
}

/* --- the user and the store ------------------------------------------------------------------ */

/*
 * With sudo -E or an old sudo, root would create keys and files in the user's home that the user
 * cannot read.
 */
static int check_user(struct error *err)
{
    const char *home = getenv("HOME"), *user = getenv("SUDO_USER");
    struct stat st;

    if (geteuid() != 0 || !user || !home || stat(home, &st) < 0 || st.st_uid == 0)
        return 0;
    return error_set(err, EPERM,
                     "this runs as root, but HOME is %s, the home directory of another user, who "
                     "could not read the files that setup creates there; run it as %s without "
                     "sudo, or with sudo -H for root's own docker",
                     home, user);
}

static int start_gpg(struct setup_state *state, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    int r = gpg_options_parse(getenv("PASSWORD_STORE_GPG_OPTS"), &options, err);

    return r < 0 ? r : gpg_context_new(&options, &state->gpg, err);
}

static int look_at_store(struct setup_state *state, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    int r = pass_store_open(&store, err);

    if (r == 0)
        r = setup_store_find(&store, state->gpg, state->options.is_subfolder, &state->gpg_id, err);
    if (r == 0 && state->options.key)
        return error_set(
            err, EEXIST,
            "%s names keys already, and --key does not change them; use pass init to encrypt the "
            "store again, or --subfolder for a key of docker's own",
            state->gpg_id);
    if (r != SETUP_NO_STORE)
        return r;
    state->needs_store = true;
    state->gpg_id = setup_store_path(&store, state->options.is_subfolder);
    if (!state->gpg_id)
        return error_set_oom(err);
    return setup_key_choose(state->gpg, &state->options, &state->key, err);
}

/* --- the clients ----------------------------------------------------------------------------- */

static int look_at_podman(struct setup_state *state, struct error *err)
{
    bool must_override = state->options.is_forced, is_from;
    int r = setup_podman_find(&state->podman, err);

    /*
     * Without --podman nothing of podman's is changed, so unreadable files are no reason to stop.
     */
    if (!state->options.is_podman)
        return r == -ENOMEM ? r : 0;
    if (r < 0)
        return r;
    is_from =
        state->options.from && client_helpers_is_first(&state->podman.others, state->options.from);
    return setup_podman_check(&state->podman, must_override || is_from, err);
}

static int make_plan(struct setup_state *state, struct error *err)
{
    static char files[] = CLIENT_AUTH_FILES;
    char *names[] = {files, NULL};
    const struct client_helpers standard = {.names = names};
    bool is_known = state->podman.in_force.names != NULL;
    /* With --podman, the drop-in of an earlier run does not count. */
    const struct client_helpers *helpers = !is_known                  ? &standard
                                           : state->options.is_podman ? &state->podman.others
                                                                      : &state->podman.in_force;
    bool is_pass_first = is_known && client_helpers_is_first(&state->podman.in_force, SETUP_HELPER);

    return setup_plan_make(&state->options, helpers, is_pass_first, &state->plan, err);
}

/* Another helper is replaced only if an option says what happens to its logins. */
static int check_other_helper(const struct setup_state *state, struct error *err)
{
    const char *path = state->plan.survey.docker->config.path, *named = state->other_helper;
    const char *from = state->options.from;
    CLEANUP_FREE char *program = NULL, *found = NULL;

    if (state->options.is_forced || (from && strcmp(named, from) == 0))
        return 0;
    if (asprintf(&program, "docker-credential-%s", named) < 0) {
        program = NULL;
        return error_set_oom(err);
    }
    if (process_find(program, &found) == -ENOENT)
        return error_set(
            err, EEXIST,
            "%s names %s, which is not on PATH, so docker cannot reach any login that it has; "
            "--force replaces it",
            path, program);
    return error_set(
        err, EEXIST,
        "%s keeps passwords with %s; --from %s imports its logins, --force replaces it without "
        "them",
        path, program, named);
}

static int look_at_docker(struct setup_state *state, struct error *err)
{
    const struct client_survey *survey = &state->plan.survey;
    const struct client_config *config = &survey->docker->config;
    const char *named = survey->only ? client_config_get_helper(config, survey->only)
                                     : client_config_get_creds_store(config);

    state->needs_docker = !named || strcmp(named, SETUP_HELPER) != 0;
    state->links = config->exists ? config->stat.st_nlink : 1;
    state->inode = config->exists ? config->stat.st_ino : 0;
    if (!named || !*named || !state->needs_docker)
        return 0;
    state->other_helper = strdup(named);
    return state->other_helper ? check_other_helper(state, err) : error_set_oom(err);
}

/* The other helper must not lose logins that a client still needs there. */
static int check_erase(const struct setup_state *state, struct error *err)
{
    const char *helper = state->options.from;
    const struct client_helpers *in_force = &state->podman.in_force;
    const struct client_survey *survey = &state->plan.survey;

    if (!state->options.is_erase)
        return 0;
    if (!state->options.is_podman && in_force->names && client_helpers_has(in_force, helper))
        return error_set(err, EBUSY,
                         "podman, buildah and skopeo use docker-credential-%s too (%s); switch "
                         "them as well, with "
                         "--podman, or leave out --erase",
                         helper, in_force->source);
    for (size_t i = 0; i < survey->file_count; i++) {
        const struct client_config *config = &survey->files[i].config;
        const char *host = setup_import_find_host(config, helper);

        if (config != &survey->docker->config && host)
            return error_set(
                err, EBUSY,
                "%s names docker-credential-%s for %s; correct that first, or leave out --erase",
                config->path, helper, host);
    }
    return 0;
}

/* --- whether the files can be written -------------------------------------------------------- */

static int check_save(const char *path, enum client_save_method method, struct error *err)
{
    CLEANUP(client_save_check_done) struct client_save_check check = {0};
    int r = client_save_check(path, method, &check, err);

    return r < 0 ? r : client_save_check_explain(&check, err);
}

/*
 * Checked before anything is stored. Unlike docker, we replace the target of a link from the
 * target's own directory.
 */
static int check_files(const struct setup_state *state, struct error *err)
{
    const struct client_survey *survey = &state->plan.survey;
    bool changes_docker =
        state->needs_docker || state->options.from || setup_plan_count(&state->plan, NULL) > 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < survey->file_count; i++) {
        const struct client_file *file = &survey->files[i];

        if (setup_plan_count(&state->plan, file) > 0 || (file == survey->docker && changes_docker))
            r = check_save(file->config.real_path, CLIENT_SAVE_OVER_LINK, err);
    }
    return r;
}

int setup_check_docker_login(const struct setup_state *state, struct error *err)
{
    return check_save(state->plan.survey.docker->config.path, CLIENT_SAVE_THROUGH_LINK, err);
}

/* --- all of it ------------------------------------------------------------------------------- */

int setup_look(struct setup_state *state, struct error *err)
{
    int r = check_user(err);

    if (r == 0)
        r = start_gpg(state, err);
    if (r == 0)
        r = look_at_store(state, err);
    if (r == 0)
        r = look_at_podman(state, err);
    if (r == 0)
        r = make_plan(state, err);
    if (r == 0)
        r = look_at_docker(state, err);
    if (r == 0)
        r = check_erase(state, err);
    if (r == 0)
        r = check_files(state, err);
    if (r == 0)
        r = setup_leftovers_find(&state->plan, &state->leftovers, err);
    if (r == 0 && state->options.from)
        r = setup_import_find(state->options.from, &state->import, err);
    return r;
}

bool setup_has_work(const struct setup_state *state)
{
    return state->needs_store || state->needs_docker || setup_plan_count(&state->plan, NULL) > 0 ||
           state->options.from || state->leftovers.files.count > 0 ||
           (state->options.is_podman && !setup_podman_is_right(&state->podman, false));
}
