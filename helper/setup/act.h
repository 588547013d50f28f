#pragma once

#include "helper/setup/state.h"

/*
 * Does what setup_look() has planned: creates the store, proves that it works, stores the logins,
 * and switches the clients. docker works at every moment in between: passwords are stored before
 * docker is told of the store, and leave its file in the same write that tells it. 0 or negative.
 */
int setup_act(struct setup_state *state, struct error *err) MUST_USE;
