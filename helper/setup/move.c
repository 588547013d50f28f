/*
 * A password is removed from a file only after it was read back from the store. Until the file is
 * written, once for all passwords, it is in both places, so a crash loses nothing.
 */
#include "helper/setup/move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "helper/client/podman.h"
#include "helper/setup/compare.h"

#define STORE "pass"

static bool is_used(const struct setup_move *move)
{
    return move->use->is_used_by_docker || move->use->is_used_by_podman;
}

/* --- conflicts ------------------------------------------------------------------------------- */

/* Another login that a client uses, and that would have to be stored under the same name. */
static const struct setup_move *find_rival(const struct setup_plan *plan,
                                           const struct setup_move *move, const char *name)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct setup_move *other = &plan->moves[i];
        struct setup_names names = setup_move_get_names(other);
        bool is_asked = (names.docker && strcmp(names.docker, name) == 0) ||
                        (names.podman && strcmp(names.podman, name) == 0);

        if (other != move && is_used(other) && is_asked && other->result == SETUP_MOVE_PLANNED &&
            !client_login_is_same(move->use->login, other->use->login))
            return other;
    }
    return NULL;
}

static int refuse_rival(const struct setup_move *move, const struct setup_move *rival,
                        const char *name, struct error *err)
{
    return error_set(
        err, EEXIST,
        "%s and %s have different logins for %s, and the store keeps one login for a server; "
        "log out of one of them, or leave out --podman; nothing was moved",
        move->use->file->config.path, rival->use->file->config.path, name);
}

/* Decides whether a login that a client uses can be stored under a name. */
static int judge_name(struct setup_plan *plan, struct setup_move *move, const char *name,
                      struct error *err)
{
    const struct setup_move *rival = find_rival(plan, move, name);
    int r;

    if (rival)
        return refuse_rival(move, rival, name, err);
    r = setup_compare(name, move->use->login, err);
    if (r != STORE_HAS_OTHER)
        return r < 0 ? r : 0;
    if (plan->survey.is_podman_switched && move->use->is_used_by_podman && !plan->is_pass_first)
        return error_set(
            err, EEXIST,
            "the store has another login for %s than %s, which podman uses now; remove one of "
            "them, or leave out --podman; nothing was moved",
            name, move->use->file->config.path);
    setup_move_stay(move, "the store has another login for that server");
    return 0;
}

/* A stored login for the whole server would be used in place of that for a part of it. */
static int judge_namespaced(struct setup_plan *plan, struct setup_move *move, struct error *err)
{
    CLEANUP_FREE char *host = strndup(move->use->podman_name, strcspn(move->use->podman_name, "/"));
    const struct setup_move *rival;
    int r;

    if (!host)
        return error_set_oom(err);
    move->result = SETUP_MOVE_STAYS;
    move->reason = CLIENT_REASON_NAMESPACED;
    if (!plan->survey.is_podman_switched)
        return 0;
    rival = find_rival(plan, move, host);
    if (rival && rival->use->is_used_by_docker)
        return refuse_rival(move, rival, host, err);
    r = rival || plan->is_pass_first ? 0 : setup_compare(host, move->use->login, err);
    if (r == STORE_HAS_OTHER)
        return error_set(
            err, EEXIST,
            "podman would use the store's login for %s in place of that for %s in %s; remove one "
            "of them, or leave out --podman; nothing was moved",
            host, move->use->login->host, move->use->file->config.path);
    /* the login for all of the server serves as well */
    if (r == STORE_HAS_SAME && !rival && !plan->is_pass_first)
        move->result = SETUP_MOVE_DONE;
    return r < 0 ? r : 0;
}

static int judge(struct setup_plan *plan, struct setup_move *move, struct error *err)
{
    struct setup_names names = setup_move_get_names(move);
    int r = 0;

    if (move->result != SETUP_MOVE_PLANNED || !is_used(move))
        return 0;
    if (names.docker)
        r = judge_name(plan, move, names.docker, err);
    if (r == 0 && names.podman && move->result == SETUP_MOVE_PLANNED)
        r = judge_name(plan, move, names.podman, err);
    return r;
}

/*
 * With --podman: a helper that a file names for a server must not be hidden by a login in the
 * store.
 */
static int check_helpers(const struct setup_plan *plan, const struct client_file *file,
                         struct error *err)
{
    const char *host;

    for (size_t i = 0; (host = client_config_get_helper_host(&file->config, i)); i++) {
        const char *helper = client_config_get_helper(&file->config, host);
        struct client_login nothing = {0};
        int r;

        if (!helper || strcmp(helper, STORE) == 0 || plan->is_pass_first)
            continue;
        r = setup_compare(host, &nothing, err);
        if (r < 0)
            return r;
        if (r != STORE_HAS_NONE)
            return error_set(err, EEXIST,
                             "the store has a login for %s, which podman would use in place of "
                             "docker-credential-%s in %s; remove one of them, or leave out "
                             "--podman; nothing was moved",
                             host, helper, file->config.path);
    }
    return 0;
}

static bool has_other_helper(const struct client_file *file)
{
    const char *host;

    for (size_t i = 0; (host = client_config_get_helper_host(&file->config, i)); i++) {
        const char *helper = client_config_get_helper(&file->config, host);

        if (helper && *helper && strcmp(helper, STORE) != 0)
            return true;
    }
    return false;
}

static int judge_all(struct setup_plan *plan, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < plan->count; i++)
        r = judge(plan, &plan->moves[i], err);
    for (size_t i = 0; r == 0 && i < plan->survey.file_count; i++)
        if (plan->survey.is_podman_switched && plan->survey.files[i].is_podman)
            r = check_helpers(plan, &plan->survey.files[i], err);
    return r;
}

/* --- storing --------------------------------------------------------------------------------- */

/* Errors of this login alone; others can still be stored. */
static bool is_its_own_fault(int r)
{
    return r == -ENAMETOOLONG || r == -EINVAL || r == -EISDIR || r == -ENOTDIR;
}

static int store_under(struct setup_move *move, const char *name, struct error *err)
{
    int r = name ? setup_compare(name, move->use->login, err) : STORE_HAS_SAME;

    if (r == STORE_HAS_NONE) {
        r = setup_put(name, move->use->login, err);
        if (is_its_own_fault(r)) {
            setup_move_stay(move, "the store cannot take its server or username");
            return 0;
        }
        if (r == 0)
            r = setup_compare(name, move->use->login, err);
        if (r == STORE_HAS_NONE)
            return error_set(
                err, EIO,
                "the login for %s was stored, but is not found again; nothing was removed from any "
                "file",
                move->use->login->host);
    }
    if (r == STORE_HAS_OTHER)
        setup_move_stay(move, "the store has another login for that server");
    return r < 0 ? r : 0;
}

/*
 * A namespaced login stays where podman finds it, but docker, which does not know namespaces, gets
 * it from the store.
 */
static int store_one(struct setup_plan *plan, struct setup_move *move, struct error *err)
{
    struct setup_names names = setup_move_get_names(move);
    bool is_namespaced = move->use->is_used_by_podman && client_use_is_namespaced(move->use);
    int r = store_under(move, names.docker, err);

    if (r == 0 && move->result == SETUP_MOVE_PLANNED)
        r = store_under(move, names.podman, err);
    if (r < 0 || move->result != SETUP_MOVE_PLANNED)
        return r;
    if (is_namespaced)
        return judge_namespaced(plan, move, err);
    if (names.docker || names.podman)
        move->result = SETUP_MOVE_DONE;
    else
        setup_move_stay(move, "no client uses it under that name");
    return 0;
}

static int store_all(struct setup_plan *plan, bool are_used, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < plan->count; i++) {
        struct setup_move *move = &plan->moves[i];
        bool is_for_docker_too = move->result == SETUP_MOVE_STAYS && move->use->is_used_by_docker &&
                                 !move->is_kept_by_docker && !move->use->reason;

        if (is_used(move) != are_used)
            continue;
        if (move->result == SETUP_MOVE_PLANNED)
            r = store_one(plan, move, err);
        else if (is_for_docker_too) /* it stays only for podman */
            r = store_under(move, move->use->docker_name, err);
    }
    return r;
}

/* podman runs the helper that docker's file names for a server, even if its name is "". */
static int check_kept(const struct setup_plan *plan, struct error *err)
{
    bool reads =
        plan->survey.is_podman_here && plan->survey.docker->is_podman &&
        (plan->survey.is_podman_switched ? plan->needs_files : plan->survey.reads_podman_files);

    for (size_t i = 0; i < plan->count; i++) {
        const struct setup_move *move = &plan->moves[i];

        if (!move->is_kept_by_docker)
            continue;
        if (plan->survey.only)
            return error_set(
                err, EEXIST,
                "docker cannot be switched for %s: the login in %s cannot be moved: %s",
                plan->survey.only, move->use->file->config.path, move->reason);
        if (reads)
            return error_set(
                err, EEXIST,
                "the login for %s in %s cannot be moved (%s), and docker and podman can "
                "both use it only as long as docker is not switched; log in again or log out first",
                move->use->login->host, move->use->file->config.path, move->reason);
    }
    return 0;
}

int setup_moves_store(struct setup_plan *plan, struct error *err)
{
    int r = judge_all(plan, err);

    if (r == 0)
        r = store_all(plan, true, err);
    if (r == 0) /* a login that no client uses must not take the name of one that a client uses */
        r = store_all(plan, false, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < plan->count; i++)
        plan->needs_files |=
            plan->moves[i].result == SETUP_MOVE_STAYS && plan->moves[i].use->is_used_by_podman;
    for (size_t i = 0; i < plan->survey.file_count; i++)
        plan->needs_files |=
            plan->survey.files[i].is_podman && has_other_helper(&plan->survey.files[i]);
    return check_kept(plan, err);
}

/* --- the files ------------------------------------------------------------------------------- */

static struct client_file *get_file(struct setup_plan *plan, const struct setup_move *move)
{
    return &plan->survey.files[move->use->file - plan->survey.files];
}

int setup_moves_take_out(struct setup_plan *plan, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < plan->count; i++) {
        struct setup_move *move = &plan->moves[i];

        if (move->result == SETUP_MOVE_DONE)
            r = client_config_remove_secret(&get_file(plan, move)->config, move->use->login->host,
                                            err);
    }
    return r;
}

/* Whether podman finds the login only if docker's file names this program for the server. */
static bool needs_helper_for_podman(const struct setup_plan *plan, const struct setup_move *move)
{
    if (plan->survey.is_podman_switched)
        return false;
    return move->result == SETUP_MOVE_DONE && move->use->is_used_by_podman &&
           move->use->file->is_podman;
}

/*
 * With DOCKER_CONFIG set, podman stores a login under docker's name, with the helper that docker's
 * file names for it.
 */
static bool needs_helper_for_login(const struct setup_plan *plan, const struct setup_move *move)
{
    return plan->survey.is_podman_switched && client_podman_writes_to_docker() &&
           move->result == SETUP_MOVE_DONE && *move->use->docker_name;
}

int setup_moves_name_helpers(struct setup_plan *plan, struct error *err)
{
    struct client_config *config = &plan->survey.docker->config;
    int r = 0;

    for (size_t i = 0; r == 0 && i < plan->count; i++) {
        const struct setup_move *move = &plan->moves[i];

        if (move->is_kept_by_docker)
            r = client_config_set_helper(config, move->use->docker_name, "", err);
        else if (needs_helper_for_podman(plan, move))
            r = client_config_set_helper(config, move->use->podman_name, STORE, err);
        else if (needs_helper_for_login(plan, move))
            r = client_config_set_helper(config, move->use->docker_name, STORE, err);
    }
    return r;
}
