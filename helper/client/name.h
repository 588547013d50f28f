#pragma once

#include <stdbool.h>

#include "common/macros.h"

/*
 * What the clients call a server. An entry of a configuration file may be named by a host, a URL or
 * a path; each client asks under one name alone. Pure. Results are owned by the caller (free with
 * free()); NULL: out of memory.
 */

/* Docker's name for Docker Hub, and what podman, buildah and skopeo call it. */
#define CLIENT_DOCKER_HUB "https://index.docker.io/v1/"
#define CLIENT_PODMAN_HUB "docker.io"

/* The name under which `docker login TYPED` stores a login. */
char *client_name_for_docker(const char *typed);

/*
 * The name under which docker asks for the entry called `key` in its file: itself, or the host of a
 * URL or path. "" if docker never uses it: Docker Hub under another name than its URL.
 */
char *client_name_asked_by_docker(const char *key);

/* Whether docker looks in credHelpers for that very name. False if memory is exhausted. */
bool client_name_is_asked_by_docker(const char *key);

/*
 * The name under which podman, buildah and skopeo use the entry called `key`: a host, or
 * "host/namespace", which they use for images below it. In the old file ~/.dockercfg (is_legacy) a
 * path does not count. "" if they never use it.
 */
char *client_name_asked_by_podman(const char *key, bool is_legacy);
