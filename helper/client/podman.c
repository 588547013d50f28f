#include "helper/client/podman.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/process.h"
#include "helper/client/home.h"

static const char *get_variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

void client_podman_files_done(struct client_podman_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
    *files = (struct client_podman_files){0};
}

static int add_file(struct client_podman_files *files, bool is_legacy, const char *format, ...)
    PRINTF_LIKE(3, 4);

static int add_file(struct client_podman_files *files, bool is_legacy, const char *format, ...)
{
    struct client_podman_file *more = reallocarray(files->items, files->count + 1, sizeof(*more));
    char *path = NULL;
    va_list args;
    int r;

    if (!more)
        return -ENOMEM;
    files->items = more;
    va_start(args, format);
    r = vasprintf(&path, format, args);
    va_end(args);
    if (r < 0)
        return -ENOMEM;
    more[files->count++] = (struct client_podman_file){.path = path, .is_legacy = is_legacy};
    return 0;
}

/* podman uses such a directory only if nobody else can put a file into it. */
static bool is_private_directory(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/*
 * An ordinary user's podman sets XDG_RUNTIME_DIR for itself if it is unset, to the first of these
 * that it can use: podman 4 to the first two, podman 5 to the first and the last. buildah and
 * skopeo do not.
 */
static int add_rootless_files(struct client_podman_files *files)
{
    const char *temporary = get_variable("TMPDIR");
    const struct {
        const char *parent, *prefix;
    } places[] = {
        {"/run/user", ""},
        {temporary ? temporary : "/tmp", "podman-run-"},
        {temporary ? temporary : "/tmp", "storage-run-"},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++) {
        CLEANUP_FREE char *path = NULL;

        if (asprintf(&path, "%s/%s%u", places[i].parent, places[i].prefix, (unsigned)geteuid()) <
            0) {
            path = NULL;
            return -ENOMEM;
        }
        if (is_private_directory(path))
            r = add_file(files, false, "%s/containers/auth.json", path);
    }
    return r;
}

static int add_runtime_files(struct client_podman_files *files)
{
    const char *runtime = get_variable("XDG_RUNTIME_DIR");
    int r;

    if (runtime)
        return add_file(files, false, "%s/containers/auth.json", runtime);
    r = geteuid() == 0 ? 0 : add_rootless_files(files);
    return r < 0 ? r : add_file(files, false, "/run/containers/%u/auth.json", (unsigned)getuid());
}

static int add_defaults(struct client_podman_files *files, const char *home)
{
    const char *config = get_variable("XDG_CONFIG_HOME"), *docker = get_variable("DOCKER_CONFIG");
    int r = add_runtime_files(files);

    /* Versions before 2023 look below ~/.config whatever XDG_CONFIG_HOME says. */
    if (r == 0 && config)
        r = add_file(files, false, "%s/containers/auth.json", config);
    if (r == 0)
        r = add_file(files, false, "%s/.config/containers/auth.json", home);
    if (r == 0)
        r = docker ? add_file(files, false, "%s/config.json", docker)
                   : add_file(files, false, "%s/.docker/config.json", home);
    return r == 0 ? add_file(files, true, "%s/.dockercfg", home) : r;
}

int client_podman_find(struct client_podman_files *ret, struct error *err)
{
    CLEANUP(client_podman_files_done) struct client_podman_files files = {0};
    const char *named = get_variable("REGISTRY_AUTH_FILE"), *home = NULL;
    int r = named ? 0 : client_find_home("podman", &home, err);

    if (r < 0)
        return r;
    r = named ? add_file(&files, false, "%s", named) : add_defaults(&files, home);
    if (r < 0)
        return error_set_oom(err);
    *ret = files;
    files = (struct client_podman_files){0};
    return 0;
}

bool client_podman_is_installed(void)
{
    static const char *const programs[] = {"podman", "buildah", "skopeo"};

    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        CLEANUP_FREE char *found = NULL;

        if (process_find(programs[i], &found) == 0)
            return true;
    }
    return false;
}

bool client_podman_writes_to_docker(void)
{
    return get_variable("DOCKER_CONFIG") && !get_variable("REGISTRY_AUTH_FILE");
}
