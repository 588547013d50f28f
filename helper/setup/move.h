#pragma once

#include "helper/setup/plan.h"

/*
 * Compares the logins with the store, decides what can be moved, and stores it. Reads back and
 * compares every stored login. No file is changed. Negative if a client would lose a login and
 * setup cannot prevent it: err says which, and what helps.
 */
int setup_moves_store(struct setup_plan *plan, struct error *err) MUST_USE;

/* Removes what was stored from the files, in memory. 0 or negative. */
int setup_moves_take_out(struct setup_plan *plan, struct error *err) MUST_USE;

/*
 * Puts into docker's file, in memory, what keeps the clients working: "" for servers whose login
 * docker must read from the file, and this program for servers whose login podman, buildah and
 * skopeo have read from it so far. 0 or negative.
 */
int setup_moves_name_helpers(struct setup_plan *plan, struct error *err) MUST_USE;
