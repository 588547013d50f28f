#pragma once

#include "helper/client/config.h"

/*
 * docker's command line (docker/cli, cli/config), and with it buildx and compose, which read the same file by the same
 * library.
 */

/* $DOCKER_CONFIG/config.json or ~/.docker/config.json. *ret_path is owned by the caller, free with free(). */
int client_docker_find(char **ret_path, struct error *err) MUST_USE;

/*
 * The store that docker chooses by itself while the file names no store, no helper and no server: "pass" where a
 * program `pass` is on PATH, else "secretservice"; NULL where the helper of that name is not on PATH, and where the
 * file makes the choice. Static.
 */
const char *client_docker_get_default_store(const struct client_config *config);
