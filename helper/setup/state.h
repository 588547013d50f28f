#pragma once

#include <sys/stat.h>

#include "gpg/context.h"
#include "helper/setup/import.h"
#include "helper/setup/key.h"
#include "helper/setup/leftovers.h"
#include "helper/setup/plan.h"
#include "helper/setup/podman.h"

#define SETUP_PROGRAM "docker-credential-pass"
#define SETUP_HELPER "pass" /* what docker calls it */

/*
 * What setup has found and what it will do. look.c fills it, tell.c prints it, act.c carries it
 * out.
 */
struct setup_state {
    struct setup_options options;
    struct gpg_context *gpg;
    struct setup_key key;
    char *gpg_id; /* the path of the store's .gpg-id, which exists or will be written */
    bool needs_store;
    struct setup_plan plan;
    bool needs_docker;  /* docker's config.json has to name the store */
    char *other_helper; /* the helper that it names now; NULL: none */
    nlink_t links;      /* the number of the file's hard links before it is replaced */
    ino_t inode;
    struct setup_podman podman;
    struct setup_import import;
    struct setup_leftovers leftovers;
};

void setup_state_done(struct setup_state *state);
