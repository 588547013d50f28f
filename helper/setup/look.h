#pragma once

#include "helper/setup/state.h"

/*
 * Finds out what exists and what must be done. Changes nothing, and asks for no password. Refuses,
 * with the reason, what would fail later or take a login away. 0 or negative.
 */
int setup_look(struct setup_state *state, struct error *err) MUST_USE;

/* Whether there is anything to do. */
bool setup_has_work(const struct setup_state *state);

/* Whether docker could save a login: it replaces its file at each login. 0 or negative. */
int setup_check_docker_login(const struct setup_state *state, struct error *err) MUST_USE;
