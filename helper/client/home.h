#pragma once

#include "common/error.h"

/*
 * The user's home directory as docker, podman, buildah and skopeo find it: $HOME, or what the
 * system's user database says if HOME is unset or empty, as in a systemd service. NULL if neither
 * says. Borrowed, valid until the next call, or the next change of the environment.
 */
const char *client_get_home(void);

/* The same as an error if it is unknown. program is whose files are in it. 0 or negative. */
int client_find_home(const char *program, const char **ret, struct error *err) MUST_USE;
