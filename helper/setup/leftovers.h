#pragma once

#include "helper/client/leftovers.h"
#include "helper/setup/plan.h"

/* Temporary files that interrupted logins have left beside docker's file. */
struct setup_leftovers {
    struct client_leftovers files;
    bool *are_removed; /* one for each */
};

int setup_leftovers_find(const struct setup_plan *plan, struct setup_leftovers *ret,
                         struct error *err) MUST_USE;
void setup_leftovers_done(struct setup_leftovers *leftovers);

/*
 * Removes those whose logins are all in the store or in docker's file as well. Others stay, because
 * a password in them may exist nowhere else. 0 or negative.
 */
int setup_leftovers_remove(struct setup_leftovers *leftovers, const struct setup_plan *plan,
                           struct error *err) MUST_USE;

/* Prints what would happen, or has happened, to each. */
void setup_leftovers_tell(const struct setup_leftovers *leftovers, bool is_plan);
