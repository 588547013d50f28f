/*
 * Safe replacement of a file that other programs write too: docker replaces it at each login.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/random.h"
#include "helper/client/config.h"
#include "helper/client/read-secret-file.h"

/* Creates the missing directories of a path with mode 0700. */
static int make_directories(const char *directory)
{
    CLEANUP_FREE char *path = strdup(directory);

    if (!path)
        return -ENOMEM;
    for (char *slash = path + 1;; slash++) {
        slash = strchrnul(slash, '/');
        if (!*slash)
            return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
}

/* Opens the directory of path; *ret_name is the file's name in it. Returns the fd or -errno. */
static int open_directory(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *directory =
        slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    int r;

    if (!directory)
        return -ENOMEM;
    *ret_name = slash ? slash + 1 : path;
    r = make_directories(directory);
    return r < 0 ? r : file_open_directory(AT_FDCWD, directory);
}

/* 0 if the file has not changed since it was read, -ESTALE if it has, or -errno. */
static int check_unchanged(const struct client_config *config)
{
    CLEANUP(secbuf_done) struct secbuf now = {0};
    int r = read_secret_file(config->real_path, &now, NULL);

    if (r == -ENOENT)
        return config->exists ? -ESTALE : 0;
    if (r < 0)
        return r;
    return config->exists && secbuf_is_equal(&now, &config->on_disk) ? 0 : -ESTALE;
}

static int replace(const struct client_config *config, int directory_fd, const char *temporary,
                   const char *name)
{
    const struct stat *st = &config->stat;
    mode_t mode = config->exists ? st->st_mode & 07777 : 0600;
    int r = file_write_temporary_leniently(directory_fd, temporary, mode, config->text.data,
                                           config->text.size);

    if (r < 0)
        return r;
    /*
     * With sudo the file must not become root's. Without the right to change the owner, it becomes
     * the caller's.
     */
    if (config->exists && (st->st_uid != geteuid() || st->st_gid != getegid()))
        (void)!fchownat(directory_fd, temporary, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
    r = check_unchanged(config);
    if (r == 0 && renameat(directory_fd, temporary, directory_fd, name) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(directory_fd, temporary, 0);
    return r < 0 ? r : file_sync_directory(directory_fd);
}

static int note_saved(struct client_config *config)
{
    CLEANUP(secbuf_done) struct secbuf copy = {0};

    if (secbuf_append(&copy, config->text.data, config->text.size) < 0)
        return -ENOMEM;
    secbuf_done(&config->on_disk);
    config->on_disk = copy;
    copy = (struct secbuf){0};
    config->exists = true;
    return stat(config->real_path, &config->stat) < 0 ? -errno : 0;
}

int client_config_save(struct client_config *config, struct error *err)
{
    CLEANUP_CLOSE int directory_fd = -1;
    char temporary[RANDOM_UUID_SIZE + 32], uuid[RANDOM_UUID_SIZE];
    const char *name;
    int r;

    random_uuid(uuid);
    snprintf(temporary, sizeof(temporary), ".docker-credential-pass.%s", uuid);
    directory_fd = open_directory(config->real_path, &name);
    r = directory_fd < 0 ? directory_fd : replace(config, directory_fd, temporary, name);
    if (r == 0)
        r = note_saved(config);
    if (r == -ESTALE)
        return error_set(
            err, ESTALE,
            "%s was changed by another program meanwhile; nothing was written, try again",
            config->path);
    return r < 0 ? error_set_errno(err, -r, "cannot write %s", config->path) : 0;
}
