#include "helper/client/docker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/process.h"
#include "helper/client/home.h"

enum { SCRIPT_SIZE = 4096 };

int client_docker_find(char **ret_path, struct error *err)
{
    const char *directory = getenv("DOCKER_CONFIG"), *home = NULL;
    bool is_named = directory && *directory;
    int r = is_named ? 0 : client_find_home("docker", &home, err);

    if (r < 0)
        return r;
    if (asprintf(ret_path, is_named ? "%s/config.json" : "%s/.docker/config.json",
                 is_named ? directory : home) < 0)
        return error_set_oom(err);
    return 0;
}

static bool is_on_path(const char *program)
{
    CLEANUP_FREE char *found = NULL;

    return process_find(program, &found) == 0;
}

/* Whether an object of that name (in lower case) has members. */
static bool has_members(const struct client_config *config, const char *folded)
{
    for (const struct json *member = json_get_first(config->json); member;
         member = json_get_next(member))
        if (json_is_folded(json_get_name(member), folded) && json_get_type(member) == JSON_OBJECT &&
            json_get_first(member))
            return true;
    return false;
}

const char *client_docker_get_default_helper(const struct client_config *config)
{
    const char *named = config ? client_config_get_creds_store(config) : NULL;

    if (config &&
        ((named && *named) || has_members(config, "credhelpers") || has_members(config, "auths")))
        return NULL;
    if (is_on_path("pass"))
        return is_on_path("docker-credential-pass") ? "pass" : NULL;
    return is_on_path("docker-credential-secretservice") ? "secretservice" : NULL;
}

bool client_docker_is_misled_by_link(const char *path)
{
    char target[PATH_MAX];
    ssize_t size = readlink(path, target, sizeof(target));

    return size > 0 && target[0] != '/';
}

bool client_docker_is_installed(void)
{
    return is_on_path("docker");
}

/* Whether the file is a script in which a word "podman" occurs. */
static bool is_script_for_podman(const char *path)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    char text[SCRIPT_SIZE];
    ssize_t size = fd < 0 ? -1 : pread(fd, text, SCRIPT_SIZE, 0);

    return size > 2 && memcmp(text, "#!", 2) == 0 &&
           memmem(text, (size_t)size, "podman", strlen("podman"));
}

bool client_docker_is_podman(void)
{
    CLEANUP_FREE char *found = NULL, *target = NULL;

    if (process_find("docker", &found) < 0)
        return false;
    target = realpath(found, NULL);
    return target && (strcmp(strrchr(target, '/'), "/podman") == 0 || is_script_for_podman(target));
}

/* /snap/bin/docker is a link to the program snap, which runs the snap of the link's name. */
bool client_docker_is_snap(void)
{
    CLEANUP_FREE char *found = NULL, *target = NULL;

    if (process_find("docker", &found) < 0)
        return false;
    target = realpath(found, NULL);
    return target && (strncmp(target, "/snap/", strlen("/snap/")) == 0 ||
                      strcmp(target, "/usr/bin/snap") == 0);
}
