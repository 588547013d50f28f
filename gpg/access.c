#include "gpg/access.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_KEYS "private-keys-v1.d"

/* Whether the file exists and cannot be read, or the directory cannot be listed and entered. */
static bool is_barrier(const char *path, struct gpg_barrier *ret)
{
    struct stat st;
    int wanted = R_OK;

    if (stat(path, &st) == 0)
        wanted |= S_ISDIR(st.st_mode) ? X_OK : 0;
    if (faccessat(AT_FDCWD, path, wanted, AT_EACCESS) == 0 || errno == ENOENT)
        return false;
    ret->error = errno;
    snprintf(ret->path, sizeof(ret->path), "%s", path);
    return true;
}

static bool is_barrier_below(const char *directory, const char *name, struct gpg_barrier *ret)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path) &&
           is_barrier(path, ret);
}

static bool find_in_secret_keys(const char *home, struct gpg_barrier *ret)
{
    const struct dirent *entry;
    char path[PATH_MAX];
    bool is_found = false;
    DIR *directory;

    if (snprintf(path, sizeof(path), "%s/" SECRET_KEYS, home) >= (int)sizeof(path))
        return false;
    directory = opendir(path);
    while (directory && !is_found && (entry = readdir(directory)))
        is_found = strstr(entry->d_name, ".key") && is_barrier_below(path, entry->d_name, ret);
    if (directory)
        closedir(directory);
    return is_found;
}

bool gpg_access_find_barrier(const char *home, struct gpg_barrier *ret)
{
    static const char *const names[] = {
        "gpg.conf",    "common.conf",   "gpg-agent.conf",           "pubring.gpg",
        "pubring.kbx", "public-keys.d", "public-keys.d/pubring.db", "trustdb.gpg",
        SECRET_KEYS,
    };

    if (is_barrier(home, ret))
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_barrier_below(home, names[i], ret))
            return true;
    return find_in_secret_keys(home, ret);
}
