#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/*
 * podman, buildah and skopeo (containers/image, pkg/docker/config), which look for logins by the
 * same library.
 */

/* The files in which they look for a login, in their order. A file may be missing. */
struct client_podman_file {
    char *path;
    bool is_legacy; /* ~/.dockercfg: the whole file is what others call "auths" */
};
struct client_podman_files {
    struct client_podman_file *items;
    size_t count;
};

/*
 * $REGISTRY_AUTH_FILE alone; or else $XDG_RUNTIME_DIR/containers/auth.json,
 * $XDG_CONFIG_HOME/containers/auth.json
 * (~/.config), $DOCKER_CONFIG/config.json (~/.docker) and ~/.dockercfg. If XDG_RUNTIME_DIR is
 * unset, /run/containers/UID/auth.json stands for it; before that, for an ordinary user, the files
 * of podman's own directories (/run/user/UID, /tmp/podman-run-UID, /tmp/storage-run-UID). *ret is
 * owned by the caller (client_podman_files_done).
 */
int client_podman_find(struct client_podman_files *ret, struct error *err) MUST_USE;
void client_podman_files_done(struct client_podman_files *files);

/* Whether one of the three is on PATH. */
bool client_podman_is_installed(void);

/*
 * Whether newer versions (at least from podman 5.4 and skopeo 1.18 on) would write a login into
 * docker's config.json and ignore the helpers of registries.conf: DOCKER_CONFIG is set, and
 * REGISTRY_AUTH_FILE is not.
 */
bool client_podman_writes_to_docker(void);
