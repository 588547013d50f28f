#pragma once

#include "helper/setup/state.h"

/* Prints what is right already, and what would be done. */
void setup_tell_plan(const struct setup_state *state);

/* Prints what has happened to each login. */
void setup_tell_moves(const struct setup_plan *plan);

/* Warns about everything that keeps docker from using this program. */
void setup_warn_of_docker(const struct setup_options *options);

/* Warns about copies of passwords, and about clients that bypass this program. */
void setup_warn_of_rest(const struct setup_state *state);
