#include "helper/client/docker.h"

#include <errno.h>
#include <stdio.h>

#include "common/process.h"

int client_docker_find(char **ret_path, struct error *err)
{
    const char *directory = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    bool is_named = directory && *directory;

    if (!is_named && (!home || !*home))
        return error_set(err, ENOENT, "HOME is not set, so the directory of docker's configuration file is unknown");
    if (asprintf(ret_path, is_named ? "%s/config.json" : "%s/.docker/config.json", is_named ? directory : home) < 0)
        return error_set_oom(err);
    return 0;
}

static bool is_on_path(const char *program)
{
    CLEANUP_FREE char *found = NULL;

    return process_find(program, &found) == 0;
}

static bool has_members(const struct client_config *config, const char *name)
{
    const struct json *object = json_find(config->json, name);

    return object && json_get_type(object) == JSON_OBJECT && json_get_first(object);
}

const char *client_docker_get_default_store(const struct client_config *config)
{
    const char *named = client_config_get_store(config);

    if ((named && *named) || has_members(config, "credHelpers") || has_members(config, "auths"))
        return NULL;
    if (is_on_path("pass"))
        return is_on_path("docker-credential-pass") ? "pass" : NULL;
    return is_on_path("docker-credential-secretservice") ? "secretservice" : NULL;
}
