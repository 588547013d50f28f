#include "helper/setup/podman.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "helper/client/home.h"

#define STORE "pass"

enum { FILE_MAX = 65536 };

/* The text of the drop-in: this program alone, or the files with logins after it. */
static const char *const texts[] = {
    "# podman, buildah and skopeo keep passwords with docker-credential-pass.\n"
    "credential-helpers = [\"pass\"]\n",
    "# podman, buildah and skopeo keep passwords with docker-credential-pass, and go on\n"
    "# reading logins and helpers that only auth.json or config.json can hold.\n"
    "credential-helpers = [\"pass\", \"containers-auth.json\"]\n",
};

void setup_podman_done(struct setup_podman *podman)
{
    free(podman->path);
    client_helpers_done(&podman->in_force);
    client_helpers_done(&podman->others);
    *podman = (struct setup_podman){0};
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int look_at_drop_in(struct setup_podman *podman, struct error *err)
{
    CLEANUP_FREE char *content = NULL;
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, podman->path, NULL);
    size_t size;
    int r = fd < 0 ? fd : file_read_all(fd, FILE_MAX, &content, &size);

    if (r == -EINVAL)
        return error_set(err, EINVAL, "%s is not a regular file", podman->path);
    if (r < 0)
        return r == -ENOENT ? 0 : error_set_errno(err, -r, "cannot read %s", podman->path);
    podman->is_ours = strcmp(content, texts[0]) == 0 || strcmp(content, texts[1]) == 0;
    return 0;
}

int setup_podman_find(struct setup_podman *ret, struct error *err)
{
    CLEANUP(setup_podman_done) struct setup_podman podman = {0};
    const char *home;
    int r = client_find_home("podman", &home, err);

    if (r < 0)
        return r;
    if (asprintf(&podman.path, "%s/.config/containers/registries.conf.d/pass.conf", home) < 0) {
        podman.path = NULL;
        return error_set_oom(err);
    }
    r = client_helpers_read(NULL, &podman.in_force, err);
    if (r == 0)
        r = client_helpers_read(podman.path, &podman.others, err);
    if (r == 0)
        r = look_at_drop_in(&podman, err);
    if (r < 0)
        return r;
    *ret = podman;
    podman = (struct setup_podman){0};
    return 0;
}

bool setup_podman_is_right(const struct setup_podman *podman, bool needs_files)
{
    return client_helpers_is_first(&podman->in_force, STORE) &&
           (!needs_files || client_helpers_has(&podman->in_force, CLIENT_AUTH_FILES));
}

/* Whether a file is read after our drop-in: only other files in the same directory can be. */
static bool is_later(const struct setup_podman *podman, const char *source)
{
    size_t size = (size_t)(base_name(podman->path) - podman->path);

    return strncmp(source, podman->path, size) == 0 && !strchr(source + size, '/') &&
           strcmp(source + size, podman->path + size) > 0;
}

/* Chooses a name that comes after that file: "zz.pass.conf" after "zz.conf". */
static int move_after(struct setup_podman *podman, const char *source, struct error *err)
{
    char *path = NULL;

    if (asprintf(&path, "%.*s.pass.conf", (int)(strlen(source) - strlen(".conf")), source) < 0)
        return error_set_oom(err);
    free(podman->path);
    podman->path = path;
    podman->is_ours = false;
    return look_at_drop_in(podman, err);
}

int setup_podman_check(struct setup_podman *podman, bool is_forced, struct error *err)
{
    const char *source = podman->others.source;
    bool names_other = source && !client_helpers_is_first(&podman->others, STORE) &&
                       !client_helpers_is_first(&podman->others, CLIENT_AUTH_FILES);

    if (setup_podman_is_right(podman, false) && podman->in_force.source &&
        strcmp(podman->in_force.source, podman->path) != 0)
        return 0; /* another file names this program already */
    if (source && is_later(podman, source)) {
        if (!is_forced)
            return error_set(
                err, EEXIST,
                "%s sets credential-helpers after %s, which would have no effect; remove the line "
                "there, or have --force override it",
                source, podman->path);
        return move_after(podman, source, err);
    }
    if (names_other && !is_forced && !podman->is_ours)
        return error_set(
            err, EEXIST,
            "%s names docker-credential-%s for podman, buildah and skopeo; --force has them use "
            "this program instead (log in again then, or import its logins with --from)",
            source, podman->others.names[0]);
    if (!podman->is_ours && access(podman->path, F_OK) == 0 &&
        !setup_podman_is_right(podman, false))
        return error_set(err, EEXIST,
                         "%s exists with other content; put this line into it, before any [table]: "
                         "credential-helpers = [\"pass\"]",
                         podman->path);
    return 0;
}

/*
 * Opens the directory of path, which is absolute, and creates it if it is missing. Returns the fd
 * or -errno.
 */
static int make_directory(const char *path)
{
    CLEANUP_FREE char *directory = strdup(path);
    char *slash;

    if (!directory)
        return -ENOMEM;
    for (slash = strchr(directory + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (!strchr(path + (slash - directory) + 1, '/'))
            return file_open_directory(AT_FDCWD, directory);
        *slash = '/';
    }
    return -EINVAL;
}

static int replace_file(const struct setup_podman *podman, const char *text)
{
    static const char temporary[] = ".pass.conf.tmp";
    CLEANUP_CLOSE int directory_fd = make_directory(podman->path);
    int r = directory_fd < 0 ? directory_fd : 0;

    if (r == 0) {
        unlinkat(directory_fd, temporary, 0); /* an earlier run was killed and left it behind */
        r = file_write_temporary(directory_fd, temporary, 0644, text, strlen(text));
    }
    if (r == 0 && renameat(directory_fd, temporary, directory_fd, base_name(podman->path)) < 0)
        r = -errno;
    return r == 0 ? file_sync_directory(directory_fd) : r;
}

int setup_podman_write(struct setup_podman *podman, bool needs_files, struct error *err)
{
    int r;

    if (setup_podman_is_right(podman, needs_files))
        return 0;
    if (!podman->is_ours && access(podman->path, F_OK) == 0)
        return error_set(
            err, EEXIST,
            "podman must go on reading its files as well, and %s does not say so; put this line "
            "into it: credential-helpers = [\"pass\", \"" CLIENT_AUTH_FILES "\"]",
            podman->path);
    r = replace_file(podman, texts[needs_files]);
    if (r < 0)
        return error_set_errno(err, -r, "cannot write %s", podman->path);
    client_helpers_done(&podman->in_force);
    r = client_helpers_read(NULL, &podman->in_force, err);
    if (r == 0 && !setup_podman_is_right(podman, needs_files))
        return error_set(err, EEXIST, "%s was written but has no effect, because %s overrides it",
                         podman->path,
                         podman->in_force.source ? podman->in_force.source : "another file");
    return r;
}
