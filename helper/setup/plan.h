#pragma once

#include "helper/client/config.h"
#include "helper/client/registries-conf.h"
#include "helper/setup/options.h"

/*
 * Which logins stand in the clients' files, which client uses each of them now, and what is to become of it, so that every
 * login that a client can use before can be used after. docs/clients.md has the rules of the clients.
 */

/* A configuration file, and who reads it. */
struct setup_file {
    struct client_config config;
    struct client_logins logins;
    bool is_docker; /* docker reads logins from it */
    bool is_podman; /* podman, buildah and skopeo do */
    bool is_target; /* logins are moved out of it; others are only looked at */
};

enum setup_move_result {
    SETUP_MOVE_PLANNED,
    SETUP_MOVE_DONE,  /* the store has it under every name that is asked for */
    SETUP_MOVE_STAYS, /* it stays in the file; `reason` says why */
};

struct setup_move {
    const struct setup_file *file;
    const struct client_login *login;
    char *docker_name; /* under which docker asks for it; "": never */
    char *podman_name; /* under which the others use it, which may be "host/namespace"; "": never */
    bool is_used_by_docker, is_used_by_podman; /* before anything is changed */
    enum setup_move_result result;
    const char *reason;
    bool is_kept_by_docker; /* docker must go on reading it from the file: credHelpers gets "" for its server */
};

struct setup_plan {
    struct setup_file *files; /* in the order in which podman reads them */
    size_t file_count;
    struct setup_file *docker; /* docker's config.json, one of files */
    struct setup_move *moves;
    size_t count;
    bool is_podman_here;       /* podman, buildah or skopeo is installed, or --podman is given */
    bool reads_podman_files;   /* the helpers in force include the files; our own drop-in does not count */
    bool is_podman_switched;   /* --podman */
    bool is_pass_first;        /* podman asks this program before anything else already */
    bool needs_files;          /* with --podman: podman must go on reading files after this program */
    char *only;                /* --host: docker's name of the one server; NULL: all */
};

/* Reads all files. helpers: those in force without our drop-in. *ret is owned by the caller (setup_plan_done). 0 or negative. */
int setup_plan_make(const struct setup_options *options, const struct client_helpers *helpers, bool is_pass_first,
                    struct setup_plan *ret, struct error *err) MUST_USE;
void setup_plan_done(struct setup_plan *plan);

/* How many logins are to be moved. */
size_t setup_plan_count(const struct setup_plan *plan);

/* The helper that docker asks for a server now; "" or NULL: it reads the file. */
const char *setup_plan_get_docker_helper(const struct setup_plan *plan, const char *name);

/* Whether a name that podman uses is that of a part of a server ("host/namespace"), which no helper can keep. */
bool setup_move_is_namespaced(const struct setup_move *move);

/* Says what will become of each login, or (is_plan false) what has become of it. */
void setup_plan_tell(const struct setup_plan *plan, bool is_plan);
