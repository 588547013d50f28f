#include "helper/client/name.h"

#include <string.h>

static bool is_one_of(const char *text, const char *const names[])
{
    for (; *names; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

/* Host and port: the scheme, the user, and everything from the first slash on are cut off. */
static char *host_of(const char *name)
{
    const char *scheme = strstr(name, "://"), *host = scheme ? scheme + 3 : name;
    size_t size = strcspn(host, scheme ? "/?#" : "/");
    const char *user = scheme ? memchr(host, '@', size) : NULL;

    if (user) {
        size -= (size_t)(user + 1 - host);
        host = user + 1;
    }
    return strndup(host, size);
}

static bool is_docker_hub(const char *host)
{
    static const char *const names[] = {"docker.io", "index.docker.io", NULL};

    return is_one_of(host, names);
}

char *client_name_for_docker(const char *typed)
{
    CLEANUP_FREE char *host = host_of(typed);

    if (host && is_docker_hub(host))
        return strdup(CLIENT_DOCKER_HUB);
    return steal_ptr(&host);
}

char *client_name_asked_by_docker(const char *key)
{
    CLEANUP_FREE char *host = NULL;

    /*
     * Tokens of a login in the browser lie below the URL:
     * "https://index.docker.io/v1/access-token".
     */
    if (strncmp(key, CLIENT_DOCKER_HUB, strlen(CLIENT_DOCKER_HUB)) == 0)
        return strdup(key);
    host = host_of(key);
    if (host && is_docker_hub(host))
        return strdup("");
    return steal_ptr(&host);
}

bool client_name_is_asked_by_docker(const char *key)
{
    CLEANUP_FREE char *name = client_name_asked_by_docker(key);

    return name && *name && strcmp(name, key) == 0;
}

static const char *skip_prefix(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(text, prefix, size) == 0 ? text + size : text;
}

/* A path that ends in a slash, or has two in a row, is never that of an image. */
static bool is_proper_path(const char *name)
{
    return *name && *name != '/' && name[strlen(name) - 1] != '/' && !strstr(name, "//");
}

char *client_name_asked_by_podman(const char *key, bool is_legacy)
{
    static const char *const hub[] = {"docker.io", "index.docker.io", "registry-1.docker.io", NULL};
    const char *bare = skip_prefix(skip_prefix(key, "http://"), "https://");
    CLEANUP_FREE char *name =
        bare != key || is_legacy ? strndup(bare, strcspn(bare, "/")) : strdup(bare);

    if (!name)
        return NULL;
    if (is_one_of(name, hub))
        return strdup(CLIENT_PODMAN_HUB);
    return is_proper_path(name) ? steal_ptr(&name) : strdup("");
}
