#pragma once

/*
 * The user's home directory as docker, podman, buildah and skopeo find it: $HOME, or what the
 * system's user database says if HOME is unset or empty, as in a systemd service. NULL if neither
 * says. Borrowed, valid until the next call, or the next change of the environment.
 */
const char *client_get_home(void);
