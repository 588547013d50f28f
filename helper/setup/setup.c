/* setup: finds out what exists, shows what would be done, asks once, and does it. */
#include "helper/setup/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "helper/proof.h"
#include "helper/setup/act.h"
#include "helper/setup/look.h"
#include "helper/setup/tell.h"
#include "helper/terminal.h"

/* Does not ask for a passphrase: setup need not know whether the agent has it. */
static int prove_login(struct error *err)
{
    struct proof proof;
    int r;

    proof_run(GPG_PINENTRY_ERROR, &proof);
    r = proof_check(&proof, err);
    return r < 0 ? error_wrap(err, "there is nothing to set up, but a login would not work") : 0;
}

static int finish(const struct setup_state *state, const char *summary, struct error *err)
{
    int r;

    setup_warn_of_rest(state);
    r = setup_check_docker_login(state, err);
    if (r < 0)
        return error_wrap(err, "everything is set up, but docker login would not work");
    terminal_print_line(stdout, "%s Log in: docker login %s", summary,
                        state->options.host ? state->options.host : "HOST");
    return 0;
}

/* Asks whether to go on: enum terminal_answer, or negative. */
static int ask(const struct setup_options *options, struct error *err)
{
    if (options->is_yes)
        return TERMINAL_YES;
    if (!terminal_can_ask())
        return error_set(
            err, ECANCELED,
            "there is no terminal to ask on; --yes answers the question, --dry-run only shows "
            "what would be done");
    fflush(stdout);
    return terminal_ask_yes("Go on?", true, err);
}

static int run(struct setup_state *state, struct error *err)
{
    int r = setup_look(state, err);

    if (r < 0)
        return r;
    setup_tell_plan(state);
    setup_warn_of_docker(&state->options);
    if (!setup_has_work(state)) {
        r = prove_login(err);
        return r < 0 ? r : finish(state, "There is nothing to do.", err);
    }
    if (state->options.is_dry_run)
        return 0;
    r = ask(&state->options, err);
    if (r == TERMINAL_NO)
        return error_set(err, ECANCELED, "nothing was changed");
    if (r == TERMINAL_YES)
        r = setup_act(state, err);
    return r < 0 ? r : finish(state, "Ready.", err);
}

int setup_main(int argc, char **argv)
{
    CLEANUP(setup_state_done) struct setup_state state = {0};
    struct error err = {0};
    int r = setup_options_parse(argc, argv, &state.options, &err);

    if (r == SETUP_HELP) {
        fputs(setup_help, stdout);
        return EXIT_SUCCESS;
    }
    if (r == 0)
        r = run(&state, &err);
    fflush(stdout);
    if (r < 0)
        fprintf(stderr, SETUP_PROGRAM ": %s\n", err.text);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
