#pragma once

#include "helper/client/config.h"

/*
 * docker's command line (docker/cli, cli/config), buildx and compose 2, which read the same file
 * with the same library.
 */

/*
 * $DOCKER_CONFIG/config.json or ~/.docker/config.json. *ret_path is owned by the caller, free with
 * free().
 */
int client_docker_find(char **ret_path, struct error *err) MUST_USE;

/*
 * The store that docker chooses by itself if the file names no store, no helper and no server:
 * "pass" if a program `pass` is on PATH, else "secretservice". NULL if the helper of that name is
 * not on PATH, or if the file makes the choice. config is NULL if docker cannot read the file,
 * which it then ignores. Static.
 */
const char *client_docker_get_default_helper(const struct client_config *config);

/*
 * Whether the file is a link with a relative target. docker before version 28 (tried: 20.10) takes
 * the target to be relative to the working directory when it saves a login (docker/cli issue 5281),
 * and so writes another file or fails.
 */
bool client_docker_is_misled_by_link(const char *path);

/* Whether a program called docker is on PATH. */
bool client_docker_is_installed(void);

/*
 * Whether the docker on PATH is podman: a link to it, or a script that runs it, as the package
 * podman-docker installs. podman ignores docker's credsStore.
 */
bool client_docker_is_podman(void);

/*
 * Whether the docker on PATH is the snap. A snap has a home directory of its own and may run no
 * program outside of itself.
 */
bool client_docker_is_snap(void);
#define CLIENT_DOCKER_SNAP_TEXT                                                                    \
    "docker is installed as a snap: it reads ~/snap/docker/current/.docker/config.json and "       \
    "cannot run credential "                                                                       \
    "helpers, so its passwords stay unencrypted there; use docker from a package instead"
