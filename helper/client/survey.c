#include "helper/setup/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/client/docker.h"
#include "helper/client/name.h"
#include "helper/client/podman.h"
#include "helper/terminal.h"

#define STORE "pass"

static void file_done(struct setup_file *file)
{
    client_logins_done(&file->logins);
    client_config_done(&file->config);
}

void setup_plan_done(struct setup_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->moves[i].docker_name);
        free(plan->moves[i].podman_name);
    }
    free(plan->moves);
    for (size_t i = 0; i < plan->file_count; i++)
        file_done(&plan->files[i]);
    free(plan->files);
    free(plan->only);
    *plan = (struct setup_plan){0};
}

/* --- the files ----------------------------------------------------------------------------- */

static struct setup_file *find_file(struct setup_plan *plan, const char *real_path)
{
    for (size_t i = 0; i < plan->file_count; i++)
        if (strcmp(plan->files[i].config.real_path, real_path) == 0)
            return &plan->files[i];
    return NULL;
}

/* Opens a file, unless it is one of the plan's already; *ret is that one or the new one. */
static int add_file(struct setup_plan *plan, const char *path, bool is_legacy, struct setup_file **ret,
                    struct error *err)
{
    CLEANUP(file_done) struct setup_file file = {0};
    struct setup_file *more;
    int r = client_config_open(path, &file.config, err);

    if (r < 0)
        return r;
    file.config.is_legacy = is_legacy;
    *ret = find_file(plan, file.config.real_path);
    if (*ret)
        return 0;
    r = client_config_list_logins(&file.config, &file.logins, err);
    if (r < 0)
        return r;
    more = reallocarray(plan->files, plan->file_count + 1, sizeof(*more));
    if (!more)
        return error_set_oom(err);
    plan->files = more;
    *ret = &more[plan->file_count++];
    **ret = file;
    file = (struct setup_file){0};
    return 0;
}

/* Without --podman, a file of podman's that cannot be read is podman's affair. */
static int add_podman_files(struct setup_plan *plan, struct error *err)
{
    CLEANUP(client_podman_files_done) struct client_podman_files files = {0};
    int r = client_podman_find(&files, err);

    for (size_t i = 0; r == 0 && i < files.count; i++) {
        struct setup_file *file = NULL;

        r = add_file(plan, files.items[i].path, files.items[i].is_legacy, &file, err);
        if (r == 0) {
            file->is_podman = true;
            file->is_target = plan->is_podman_switched;
        } else if (!plan->is_podman_switched && r != -ENOMEM) {
            r = 0;
        }
    }
    return r;
}

/* Docker before version 23 reads ~/.dockercfg where there is no config.json, which is about to be made. */
static int add_old_docker_file(struct setup_plan *plan, struct error *err)
{
    const char *home = getenv("HOME"), *named = getenv("DOCKER_CONFIG");
    CLEANUP_FREE char *path = NULL;
    struct setup_file *file = NULL;
    struct error ignored;

    if (!home || (named && *named) || plan->docker->config.exists)
        return 0;
    if (asprintf(&path, "%s/.dockercfg", home) < 0) {
        path = NULL;
        return error_set_oom(err);
    }
    if (add_file(plan, path, true, &file, &ignored) == 0)
        file->is_docker = file->is_target = true;
    return 0;
}

static int add_files(struct setup_plan *plan, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    struct setup_file *docker = NULL;
    size_t index;
    int r = plan->is_podman_here ? add_podman_files(plan, err) : 0;

    if (r == 0)
        r = client_docker_find(&path, err);
    if (r == 0)
        r = add_file(plan, path, false, &docker, err);
    if (r < 0)
        return r;
    docker->is_docker = docker->is_target = true;
    index = (size_t)(docker - plan->files);
    plan->docker = docker;
    r = add_old_docker_file(plan, err);
    plan->docker = &plan->files[index]; /* the array may have moved */
    return r;
}

/* --- who uses what ------------------------------------------------------------------------- */

bool setup_move_is_namespaced(const struct setup_move *move)
{
    return strchr(move->podman_name, '/') != NULL;
}

const char *setup_plan_get_docker_helper(const struct setup_plan *plan, const char *name)
{
    const struct client_config *config = &plan->docker->config;
    const char *helper = client_config_get_helper(config, name), *store = client_config_get_store(config);

    if (helper)
        return helper;
    return store ? store : client_docker_get_default_store(config);
}

/* The first of two logins for the same name is the one that a client takes: one that has exactly that name comes first. */
static bool is_before(const struct setup_move *a, const struct setup_move *b, const char *name)
{
    bool is_exact_a = strcmp(a->login->host, name) == 0, is_exact_b = strcmp(b->login->host, name) == 0;

    if (a->file != b->file)
        return a->file < b->file;
    return is_exact_a != is_exact_b ? is_exact_a : a->login < b->login;
}

static bool is_used_by_docker(const struct setup_plan *plan, const struct setup_move *move)
{
    const char *helper = setup_plan_get_docker_helper(plan, move->docker_name);

    if (!move->file->is_docker || !*move->docker_name || move->login->problem || (helper && *helper))
        return false;
    for (size_t i = 0; i < plan->count; i++) {
        const struct setup_move *other = &plan->moves[i];

        if (other != move && other->file->is_docker && strcmp(other->docker_name, move->docker_name) == 0 &&
            is_before(other, move, move->docker_name))
            return false;
    }
    return true;
}

/* The helper that the files name for a server before podman looks for logins in them; NULL: none. Borrowed. */
static const char *find_podman_helper(const struct setup_plan *plan, const char *name, const struct setup_file *last)
{
    CLEANUP_FREE char *host = strndup(name, strcspn(name, "/"));

    for (const struct setup_file *file = plan->files; host && file <= last; file++) {
        const char *helper = file->is_podman ? client_config_get_helper(&file->config, host) : NULL;

        if (helper)
            return helper;
    }
    return NULL;
}

static bool is_used_by_podman(const struct setup_plan *plan, const struct setup_move *move)
{
    if (!plan->is_podman_here || !plan->reads_podman_files || !move->file->is_podman || !*move->podman_name ||
        move->login->problem || find_podman_helper(plan, move->podman_name, move->file))
        return false;
    for (size_t i = 0; i < plan->count; i++) {
        const struct setup_move *other = &plan->moves[i];

        if (other != move && other->file->is_podman && strcmp(other->podman_name, move->podman_name) == 0 &&
            is_before(other, move, move->podman_name))
            return false;
    }
    return true;
}

/* --- the moves ----------------------------------------------------------------------------- */

static bool is_wanted(const struct setup_plan *plan, const struct setup_move *move)
{
    return !plan->only || strcmp(move->docker_name, plan->only) == 0;
}

static int add_moves(struct setup_plan *plan, struct error *err)
{
    size_t most = 1;

    for (size_t i = 0; i < plan->file_count; i++)
        most += plan->files[i].logins.count;
    plan->moves = calloc(most, sizeof(*plan->moves));
    if (!plan->moves)
        return error_set_oom(err);
    for (size_t i = 0; i < plan->file_count; i++)
        for (size_t k = 0; k < plan->files[i].logins.count; k++) {
            struct setup_move *move = &plan->moves[plan->count++];

            move->file = &plan->files[i];
            move->login = &plan->files[i].logins.items[k];
            move->docker_name = client_name_asked_by_docker(move->login->host);
            move->podman_name = client_name_asked_by_podman(move->login->host, move->file->config.is_legacy);
            if (!move->docker_name || !move->podman_name)
                return error_set_oom(err);
        }
    return 0;
}

/* "credHelpers": {"host": ""}, whatever credsStore says. */
static bool is_kept_in_file(const struct setup_plan *plan, const char *name)
{
    const char *helper = client_config_get_helper(&plan->docker->config, name);

    return helper && !*helper;
}

static const char *find_reason_to_stay(const struct setup_plan *plan, const struct setup_move *move)
{
    const char *helper = setup_plan_get_docker_helper(plan, move->docker_name);
    const char *other = find_podman_helper(plan, move->podman_name, move->file);

    if (move->login->problem)
        return move->login->problem;
    if (!plan->only && move->file->is_docker && is_kept_in_file(plan, move->docker_name))
        return "credHelpers has docker read it from the file; setup --host moves it";
    if (move->is_used_by_docker || move->is_used_by_podman)
        return NULL;
    if (move->file->is_docker && client_config_get_helper(&move->file->config, move->docker_name) &&
        strcmp(helper, STORE) != 0)
        return "credHelpers names another helper for that server";
    return other && strcmp(other, STORE) != 0 ? "a file names another helper for that server" : NULL;
}

static void judge_moves(struct setup_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        plan->moves[i].is_used_by_docker = is_used_by_docker(plan, &plan->moves[i]);
        plan->moves[i].is_used_by_podman = is_used_by_podman(plan, &plan->moves[i]);
    }
    for (size_t i = 0; i < plan->count; i++) {
        struct setup_move *move = &plan->moves[i];

        move->reason = find_reason_to_stay(plan, move);
        if (move->reason)
            move->result = SETUP_MOVE_STAYS;
    }
}

/* Logins of files that are only looked at, and of other servers than --host, were needed to judge; now they go. */
static void drop_others(struct setup_plan *plan)
{
    size_t kept = 0;

    for (size_t i = 0; i < plan->count; i++) {
        if (plan->moves[i].file->is_target && is_wanted(plan, &plan->moves[i])) {
            plan->moves[kept++] = plan->moves[i];
        } else {
            free(plan->moves[i].docker_name);
            free(plan->moves[i].podman_name);
        }
    }
    plan->count = kept;
}

int setup_plan_make(const struct setup_options *options, const struct client_helpers *helpers, bool is_pass_first,
                    struct setup_plan *ret, struct error *err)
{
    CLEANUP(setup_plan_done) struct setup_plan plan = {
        .is_podman_switched = options->is_podman,
        .is_podman_here = options->is_podman || client_podman_is_installed(),
        .reads_podman_files = client_helpers_has(helpers, CLIENT_AUTH_FILES),
        .is_pass_first = is_pass_first,
    };
    int r;

    if (options->host) {
        plan.only = client_name_for_docker(options->host);
        if (!plan.only)
            return error_set_oom(err);
    }
    r = add_files(&plan, err);
    if (r == 0)
        r = add_moves(&plan, err);
    if (r < 0)
        return r;
    judge_moves(&plan);
    drop_others(&plan);
    *ret = plan;
    plan = (struct setup_plan){0};
    return 0;
}

size_t setup_plan_count(const struct setup_plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->count; i++)
        count += plan->moves[i].result == SETUP_MOVE_PLANNED;
    return count;
}

void setup_plan_tell(const struct setup_plan *plan, bool is_plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct setup_move *move = &plan->moves[i];
        const char *host = move->login->host, *path = move->file->config.path;

        if (move->result == SETUP_MOVE_STAYS)
            terminal_say(stdout, TERMINAL_WARNING, "the login for %s stays in %s: %s%s", host, path, move->reason,
                         move->is_kept_by_docker ? "; docker goes on reading it there (credHelpers)" : "");
        else if (is_plan && move->is_used_by_podman && setup_move_is_namespaced(move))
            terminal_say(stdout, TERMINAL_WOULD, "leave the login for %s in %s, where podman and skopeo use it for a part of "
                         "that server, unless one for all of it serves as well", host, path);
        else if (is_plan)
            terminal_say(stdout, TERMINAL_WOULD, "move the password for %s from %s into the store", host, path);
        else if (move->result == SETUP_MOVE_DONE)
            terminal_say(stdout, TERMINAL_DONE, "the password for %s is in the store, and removed from %s", host, path);
    }
}
