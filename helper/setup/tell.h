#pragma once

#include "helper/setup/state.h"

/* Says what is right already, and what would be done. */
void setup_tell_plan(const struct setup_state *state);

/* Says what has happened to each login. */
void setup_tell_moves(const struct setup_plan *plan);

/* Warns of what keeps docker from using this program as it is run here. */
void setup_warn_of_docker(const struct setup_options *options);

/* Warns of copies of passwords, and of clients that go their own way. */
void setup_warn_of_rest(const struct setup_state *state);
