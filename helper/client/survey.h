#pragma once

#include "helper/client/config.h"
#include "helper/client/registries-conf.h"

/*
 * Which logins the clients' files hold, and which client uses each of them now. docs/clients.md has
 * the rules.
 */

/* A configuration file, and which clients read it. */
struct client_file {
    struct client_config config;
    struct client_logins logins;
    bool is_docker; /* docker reads logins from it */
    bool is_podman; /* podman, buildah and skopeo do */
    /* its logins are listed; those of other files only decide which login a client takes */
    bool is_surveyed;
};

/* A login, and which clients use it. */
struct client_use {
    const struct client_file *file;
    const struct client_login *login;
    char *docker_name; /* under which docker asks for it; "": never */
    char *podman_name; /* under which the others use it, which may be "host/namespace"; "": never */
    bool is_used_by_docker, is_used_by_podman;
    /* why it must stay in its file whatever the password store can do; NULL: it need not. Static */
    const char *reason;
};

struct client_survey_options {
    /* podman, buildah and skopeo are to use this program too: their files are surveyed */
    bool is_podman_switched;
    /* a server as a person types it: no logins of other servers; NULL: all. Borrowed */
    const char *only;
    const struct client_helpers *helpers; /* in force for podman; borrowed */
};

struct client_survey {
    struct client_file *files; /* in the order in which podman reads them */
    size_t file_count;
    struct client_file *docker; /* docker's config.json, one of files */
    struct client_use *uses;
    size_t count;
    bool is_podman_here; /* podman, buildah or skopeo is installed, or is to be switched */
    bool is_podman_switched;
    bool reads_podman_files; /* the helpers in force include podman's files */
    char *only;              /* docker's name of the one server; NULL: all */
};

/* Reads all files. *ret is owned by the caller (client_survey_done). 0 or negative. */
int client_survey_make(const struct client_survey_options *options, struct client_survey *ret,
                       struct error *err) MUST_USE;
void client_survey_done(struct client_survey *survey);

/* The helper that docker asks for a server now; "" or NULL: docker reads the file. */
const char *client_survey_get_docker_helper(const struct client_survey *survey, const char *name);

/*
 * Whether podman uses the login for a part of a server ("host/namespace"); helpers keep logins for
 * whole servers only.
 */
bool client_use_is_namespaced(const struct client_use *use);

/*
 * Whether podman uses the login for all of a server that part is a part of, and the two differ: a
 * helper's answer for the server would then come before the login for the part.
 */
bool client_use_is_beside(const struct client_use *use, const struct client_use *part);

/* The reasons of those two, and of both that follow from them. */
#define CLIENT_REASON_NAMESPACED                                                                   \
    "podman, buildah and skopeo use it for a part of that server, and helpers keep logins for "    \
    "whole servers only"
#define CLIENT_REASON_BESIDE                                                                       \
    "podman, buildah and skopeo use it beside another login for a part of that server"

/* Why a login stays in its file on purpose; NULL: setup would move it. Static. */
const char *client_survey_explain(const struct client_survey *survey, const struct client_use *use);
