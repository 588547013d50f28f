#include "helper/setup/plan.h"

#include <stdlib.h>
#include <string.h>

#include "helper/setup/compare.h"

void setup_plan_done(struct setup_plan *plan)
{
    free(plan->moves);
    client_survey_done(&plan->survey);
    *plan = (struct setup_plan){0};
}

struct setup_names setup_move_get_names(const struct setup_move *move)
{
    const struct client_use *use = move->use;
    bool has_host = *use->podman_name && !client_use_is_namespaced(use);
    struct setup_names names = {0};

    if (use->is_used_by_docker)
        names.docker = use->docker_name;
    if (use->is_used_by_podman && has_host)
        names.podman = use->podman_name;
    if (!use->is_used_by_docker && !use->is_used_by_podman) {
        if (use->file->is_docker && *use->docker_name)
            names.docker = use->docker_name;
        else if (use->file->is_podman && has_host)
            names.podman = use->podman_name;
    }
    if (names.docker && names.podman && strcmp(names.docker, names.podman) == 0)
        names.podman = NULL;
    return names;
}

void setup_move_stay(struct setup_move *move, const char *reason)
{
    move->result = SETUP_MOVE_STAYS;
    move->reason = reason;
    move->is_kept_by_docker = move->use->is_used_by_docker;
}

static void judge_alone(struct setup_move *move)
{
    const struct client_use *use = move->use;
    struct setup_names names = setup_move_get_names(move);
    bool is_used = use->is_used_by_docker || use->is_used_by_podman;

    if (use->reason) {
        move->result = SETUP_MOVE_STAYS;
        move->reason = use->reason;
    } else if (!is_used && !names.docker && !names.podman) {
        setup_move_stay(move, "no client uses it under that name");
    } else if (is_used && !setup_can_keep(&use->login->secret)) {
        setup_move_stay(move, "its password ends in a line end, which the store does not keep");
    }
}

/* The login for all of a server stays beside one for a part of it, if only podman uses it. */
static void keep_beside(struct setup_plan *plan, const struct setup_move *part)
{
    bool is_switched = plan->survey.is_podman_switched;

    for (size_t i = 0; i < plan->count; i++) {
        struct setup_move *move = &plan->moves[i];

        if (move->result == SETUP_MOVE_PLANNED && client_use_is_beside(move->use, part->use) &&
            (is_switched ? !move->use->is_used_by_docker : move->use->file == part->use->file)) {
            move->result = SETUP_MOVE_STAYS;
            move->reason = CLIENT_REASON_BESIDE;
        }
    }
}

int setup_plan_make(const struct setup_options *options, const struct client_helpers *helpers,
                    bool is_pass_first, struct setup_plan *ret, struct error *err)
{
    CLEANUP(setup_plan_done) struct setup_plan plan = {.is_pass_first = is_pass_first};
    const struct client_survey_options survey_options = {
        .is_podman_switched = options->is_podman,
        .only = options->host,
        .helpers = helpers,
    };
    int r = client_survey_make(&survey_options, &plan.survey, err);

    if (r < 0)
        return r;
    plan.moves = calloc(plan.survey.count + 1, sizeof(*plan.moves));
    if (!plan.moves)
        return error_set_oom(err);
    plan.count = plan.survey.count;
    for (size_t i = 0; i < plan.count; i++) {
        plan.moves[i].use = &plan.survey.uses[i];
        judge_alone(&plan.moves[i]);
    }
    for (size_t i = 0; i < plan.count; i++)
        if (plan.moves[i].use->is_used_by_podman && client_use_is_namespaced(plan.moves[i].use))
            keep_beside(&plan, &plan.moves[i]);
    *ret = plan;
    plan = (struct setup_plan){0};
    return 0;
}

size_t setup_plan_count(const struct setup_plan *plan, const struct client_file *file)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->count; i++)
        count += plan->moves[i].result == SETUP_MOVE_PLANNED &&
                 (!file || plan->moves[i].use->file == file);
    return count;
}
