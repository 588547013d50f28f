#include "helper/setup/tell.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/process.h"
#include "gpg/patience.h"
#include "helper/client/docker.h"
#include "helper/client/podman.h"
#include "helper/pass/git-trial.h"
#include "helper/pass/git.h"
#include "helper/pass/store.h"
#include "helper/terminal.h"

/* --- the plan -------------------------------------------------------------------------------- */

static void tell_store(const struct setup_state *state)
{
    bool has_no_passphrase = state->options.has_no_passphrase;

    if (!state->needs_store) {
        terminal_say(stdout, TERMINAL_OK, "the password store has its key: %s", state->gpg_id);
        return;
    }
    if (*state->key.fingerprint)
        terminal_say(stdout, TERMINAL_OK, "the key %s (%s) can be used", state->key.fingerprint,
                     state->key.user_id);
    else
        terminal_say(stdout, TERMINAL_WOULD, "generate a key for %s, %s", state->key.user_id,
                     has_no_passphrase ? "without a passphrase"
                                       : "with a passphrase that gpg asks you for");
    if (!*state->key.fingerprint && has_no_passphrase)
        terminal_explain(
            stdout, "Without a passphrase, anyone who can read your files can read the passwords. "
                    "They are still "
                    "safe in a copied config.json, in a log, and in a backup without the key.");
    terminal_say(stdout, TERMINAL_WOULD,
                 "create the password store: write the key's fingerprint into %s", state->gpg_id);
    terminal_say(stdout, TERMINAL_WOULD, "encrypt and decrypt a text, to prove that it works");
}

static void tell_docker(const struct setup_state *state)
{
    const char *host = state->plan.survey.only, *path = state->plan.survey.docker->config.path;

    if (!state->needs_docker)
        terminal_say(stdout, TERMINAL_OK, "docker keeps passwords%s%s in the store: %s",
                     host ? " for " : "", host ? host : "", path);
    else
        terminal_say(stdout, TERMINAL_WOULD,
                     "tell docker to keep passwords%s%s in the store%s%s: \"%s\" in %s",
                     host ? " for " : "", host ? host : "",
                     state->other_helper ? " instead of " : "",
                     state->other_helper ? state->other_helper : "",
                     host ? "credHelpers" : "credsStore", path);
}

static void tell_podman(const struct setup_state *state)
{
    if (!state->options.is_podman)
        return;
    if (setup_podman_is_right(&state->podman, false))
        terminal_say(stdout, TERMINAL_OK, "podman, buildah and skopeo use the store: %s",
                     state->podman.in_force.source);
    else
        terminal_say(stdout, TERMINAL_WOULD, "tell podman, buildah and skopeo to use the store: %s",
                     state->podman.path);
}

/* An entry of "auths" can have an empty name. */
static const char *get_shown_name(const struct setup_move *move)
{
    return *move->use->login->host ? move->use->login->host : "\"\"";
}

static void tell_stay(const struct setup_move *move)
{
    terminal_say(stdout, TERMINAL_WARNING, "the login for %s stays in %s: %s%s",
                 get_shown_name(move), move->use->file->config.path, move->reason,
                 move->is_kept_by_docker ? "; docker still reads it there (credHelpers)" : "");
}

static void tell_planned_move(const struct setup_move *move)
{
    const char *host = get_shown_name(move), *path = move->use->file->config.path;

    if (move->use->is_used_by_podman && client_use_is_namespaced(move->use))
        terminal_say(
            stdout, TERMINAL_WOULD,
            "leave the login for %s in %s, where podman, buildah and skopeo use it for a part "
            "of that server, unless one for all of it serves as well",
            host, path);
    else
        terminal_say(stdout, TERMINAL_WOULD, "move the password for %s from %s into the store",
                     host, path);
}

void setup_tell_plan(const struct setup_state *state)
{
    const struct setup_plan *plan = &state->plan;

    tell_store(state);
    tell_docker(state);
    tell_podman(state);
    setup_import_tell(&state->import);
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->moves[i].result == SETUP_MOVE_STAYS)
            tell_stay(&plan->moves[i]);
        else
            tell_planned_move(&plan->moves[i]);
    }
    setup_leftovers_tell(&state->leftovers, true);
}

void setup_tell_moves(const struct setup_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct setup_move *move = &plan->moves[i];

        if (move->result == SETUP_MOVE_STAYS)
            tell_stay(move);
        else if (move->result == SETUP_MOVE_DONE)
            terminal_say(stdout, TERMINAL_DONE,
                         "the password for %s is in the store, and removed from %s",
                         get_shown_name(move), move->use->file->config.path);
    }
}

/* --- warnings -------------------------------------------------------------------------------- */

/* docker finds a helper by its name alone. */
static void warn_of_path(void)
{
    CLEANUP_FREE char *found = NULL;
    char own[4096];
    ssize_t size;

    if (process_find(SETUP_PROGRAM, &found) != -ENOENT)
        return;
    size = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[size > 0 ? size : 0] = '\0';
    terminal_say(
        stdout, TERMINAL_WARNING,
        "docker will not find this program, because no directory of PATH has a " SETUP_PROGRAM
        "; copy it to one:");
    terminal_show_command(stdout, "install %s /usr/local/bin/" SETUP_PROGRAM, own);
}

void setup_warn_of_docker(const struct setup_options *options)
{
    const char *directory = getenv("DOCKER_CONFIG"), *user = getenv("SUDO_USER");

    warn_of_path();
    if (client_docker_is_snap())
        terminal_say(stdout, TERMINAL_WARNING, "%s", CLIENT_DOCKER_SNAP_TEXT);
    if (client_docker_is_podman() && !options->is_podman) {
        terminal_say(stdout, TERMINAL_WARNING,
                     "docker on PATH is podman, which ignores credsStore: its logins stay "
                     "unencrypted until podman is set up as well:");
        terminal_show_command(stdout, SETUP_PROGRAM " setup --podman");
    }
    if (directory && *directory && *directory != '/')
        terminal_say(stdout, TERMINAL_WARNING,
                     "DOCKER_CONFIG is a relative path (%s): docker finds its configuration only "
                     "when it is run in this directory",
                     directory);
    if (getenv("DOCKER_AUTH_CONFIG"))
        terminal_say(stdout, TERMINAL_WARNING,
                     "DOCKER_AUTH_CONFIG is set: docker from version 28.3 on uses the logins in it "
                     "before all others, and they stay there, unencrypted");
    if (geteuid() == 0 && user && strcmp(user, "root") != 0)
        terminal_say(
            stdout, TERMINAL_WARNING,
            "this sets up root's docker, as sudo docker uses it; for the docker of %s, run "
            "it without sudo",
            user);
}

/* Warns about what git would refuse at the first login, after the password is stored. */
static void warn_of_git(void)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP_FREE char *git = NULL;
    struct pass_git_trust trust;
    struct error err;

    if (pass_store_open(&store, &err) < 0 || store.root_fd < 0 ||
        faccessat(store.root_fd, ".git", F_OK, 0) < 0 || process_find("git", &git) < 0 ||
        pass_git_set_environment(&store) < 0 ||
        pass_git_inspect(store.root, gpg_patience(), &trust, &err) < 0 ||
        trust.verdict == PASS_GIT_REFUSED)
        return; /* a login and doctor report it */
    if (pass_git_try_commit(store.root, &trust, &err) > 0)
        terminal_say(stdout, TERMINAL_WARNING,
                     "%s. Passwords are stored anyway, but git does not record them", err.text);
}

static bool has_moved(const struct setup_plan *plan, const struct client_file *file)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->moves[i].use->file == file && plan->moves[i].result == SETUP_MOVE_DONE)
            return true;
    return false;
}

void setup_warn_of_rest(const struct setup_state *state)
{
    const struct client_config *config = &state->plan.survey.docker->config;

    warn_of_git();
    if (state->links > 1 && has_moved(&state->plan, state->plan.survey.docker)) {
        terminal_say(stdout, TERMINAL_WARNING,
                     "%s had %zu more hard links, which keep the passwords unencrypted; find and "
                     "remove them:",
                     config->path, (size_t)state->links - 1);
        terminal_show_command(stdout, "find / -xdev -inum %ju", (uintmax_t)state->inode);
    }
    if (client_docker_is_misled_by_link(config->path)) {
        terminal_say(
            stdout, TERMINAL_WARNING,
            "%s is a link with a relative target, which docker before version 28 looks for "
            "in the working directory when it saves a login; give it an absolute one:",
            config->path);
        terminal_show_command(stdout, "ln -sfn %s %s", config->real_path, config->path);
    }
    if (state->options.is_podman && client_podman_writes_to_docker())
        terminal_say(stdout, TERMINAL_WARNING,
                     "DOCKER_CONFIG is set: newer versions of podman login, buildah login and "
                     "skopeo login then write a new password unencrypted into %s, whatever helpers "
                     "are configured. Run them "
                     "as: env -u DOCKER_CONFIG podman login HOST",
                     config->path);
}
