/*
 * Even with O_NOFOLLOW, openat() follows links in all components of a path but the last. So each
 * component is opened by a call of its own.
 */
#include "helper/pass/descend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"

/* Tells a link from any other obstacle. */
static int refuse(int fd, const char *name, int r)
{
    struct stat st;

    if (r != -ENOTDIR && r != -ELOOP)
        return r;
    return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) ? -ELOOP
                                                                                   : -ENOTDIR;
}

static int make_directory(int fd, const char *name)
{
    if (mkdirat(fd, name, 0777) < 0)
        return errno == EEXIST ? 0 : -errno;
    return file_sync_directory(fd);
}

static int enter(int fd, const char *name, bool is_made)
{
    int r = file_open_real_directory(fd, name);

    if (r == -ENOENT && is_made) {
        r = make_directory(fd, name);
        if (r == 0)
            r = file_open_real_directory(fd, name);
    }
    return r < 0 ? refuse(fd, name, r) : r;
}

int pass_descend(int directory_fd, const char *path, bool is_made, const char **ret_leaf)
{
    CLEANUP_FREE char *parts = strdup(path);
    int fd = file_open_directory(directory_fd, ".");
    char *at = parts;

    if (!parts && fd >= 0) {
        close(fd);
        return -ENOMEM;
    }
    for (char *slash; fd >= 0 && (slash = strchr(at, '/')); at = slash + 1) {
        int inner;

        *slash = '\0';
        inner = enter(fd, at, is_made);
        close(fd);
        fd = inner;
    }
    *ret_leaf = path + (at - parts);
    return fd;
}

void pass_ascend_removing(int directory_fd, const char *path)
{
    CLEANUP_FREE char *rest = strdup(path);

    for (char *slash = rest ? strrchr(rest, '/') : NULL; slash; slash = strrchr(rest, '/')) {
        CLEANUP_CLOSE int fd = -1;
        const char *leaf;

        *slash = '\0';
        fd = pass_descend(directory_fd, rest, false, &leaf);
        if (fd < 0 || unlinkat(fd, leaf, AT_REMOVEDIR) < 0)
            return;
    }
}
