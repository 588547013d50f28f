#pragma once

#include "helper/client/survey.h"
#include "helper/setup/options.h"

/*
 * What happens to each login in the clients' files. Every login that a client can use before setup
 * it can use afterwards.
 */
enum setup_move_result {
    SETUP_MOVE_PLANNED,
    SETUP_MOVE_DONE,  /* the store has it under every name that is asked for */
    SETUP_MOVE_STAYS, /* it stays in the file; `reason` says why */
};

struct setup_move {
    const struct client_use *use; /* borrowed from the survey */
    enum setup_move_result result;
    const char *reason;
    /* docker must still read it from the file: credHelpers gets "" for its server */
    bool is_kept_by_docker;
};

struct setup_plan {
    struct client_survey survey;
    struct setup_move *moves; /* one for each login of the survey */
    size_t count;
    bool is_pass_first; /* podman already asks this program first */
    bool needs_files;   /* with --podman: podman must still read files after this program */
};

/*
 * Reads the files, and decides what can be decided without the store. helpers: those in force for
 * podman without our drop-in. *ret is owned by the caller (setup_plan_done). 0 or negative.
 */
int setup_plan_make(const struct setup_options *options, const struct client_helpers *helpers,
                    bool is_pass_first, struct setup_plan *ret, struct error *err) MUST_USE;
void setup_plan_done(struct setup_plan *plan);

/* How many logins are to be moved: of one file, or of all (NULL). */
size_t setup_plan_count(const struct setup_plan *plan, const struct client_file *file);

/*
 * The names under which a login must be found in the store afterwards; NULL: not needed. Borrowed.
 */
struct setup_names {
    const char *docker, *podman;
};
struct setup_names setup_move_get_names(const struct setup_move *move);

/* Notes that a login stays in its file. The reason is static. */
void setup_move_stay(struct setup_move *move, const char *reason);
