#include "helper/setup/podman.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"

enum { FILE_MAX = 65536 };

static const char text[] =
    "# podman, buildah and skopeo keep passwords with docker-credential-pass.\n"
    "credential-helpers = [\"pass\"]\n";

void setup_podman_done(struct setup_podman *podman)
{
    free(podman->path);
    *podman = (struct setup_podman){0};
}

bool setup_podman_parse(const char *content)
{
    for (const char *line = content; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        line += strspn(line, " \t");
        if (strncmp(line, "credential-helpers", 18) == 0)
            return strstr(line, "\"pass\"") && strstr(line, "\"pass\"") < line + strcspn(line, "\n");
    }
    return false;
}

int setup_podman_find(struct setup_podman *ret, struct error *err)
{
    const char *home = getenv("HOME");
    CLEANUP_FREE char *content = NULL;
    CLEANUP_CLOSE int fd = -1;
    size_t size;
    int r;

    if (!home || !*home)
        return error_set(err, ENOENT, "HOME is not set, and with it nobody knows where your configuration files are");
    if (asprintf(&ret->path, "%s/.config/containers/registries.conf.d/pass.conf", home) < 0)
        return error_set_oom(err);
    fd = file_open_regular(AT_FDCWD, ret->path, NULL);
    if (fd == -EINVAL)
        return error_set(err, EINVAL, "%s is no regular file", ret->path);
    if (fd < 0)
        return fd == -ENOENT ? 0 : error_set_errno(err, -fd, "cannot read %s", ret->path);
    r = file_read_all(fd, FILE_MAX, &content, &size);
    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s", ret->path);
    ret->is_right = setup_podman_parse(content);
    if (!ret->is_right)
        return error_set(err, EEXIST, "%s is there and says something else; put this line into it, before any [table]: "
                         "credential-helpers = [\"pass\"]", ret->path);
    return 0;
}

/* The last folder of path, which is absolute, with what is missing of it; fd or -errno. */
static int make_folder(const char *path)
{
    CLEANUP_FREE char *folder = strdup(path);
    char *slash;

    if (!folder)
        return -ENOMEM;
    for (slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (!strchr(path + (slash - folder) + 1, '/'))
            return file_open_folder(AT_FDCWD, folder);
        *slash = '/';
    }
    return -EINVAL;
}

int setup_podman_write(const struct setup_podman *podman, struct error *err)
{
    static const char temporary[] = ".pass.conf.tmp";
    CLEANUP_CLOSE int folder_fd = make_folder(podman->path);
    int r = folder_fd < 0 ? folder_fd : 0;

    if (r == 0) {
        unlinkat(folder_fd, temporary, 0); /* of an earlier try that was killed */
        r = file_write_temporary(folder_fd, temporary, 0644, text, strlen(text));
    }
    if (r == 0 && renameat(folder_fd, temporary, folder_fd, "pass.conf") < 0)
        r = -errno;
    if (r == 0)
        r = file_sync_folder(folder_fd);
    return r < 0 ? error_set_errno(err, -r, "cannot write %s", podman->path) : 0;
}
