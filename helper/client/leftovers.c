#include "helper/client/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { YOUNGEST_S = 60 };

static const char own_prefix[] = ".docker-credential-pass.";

void client_leftovers_done(struct client_leftovers *leftovers)
{
    for (size_t i = 0; i < leftovers->count; i++)
        free(leftovers->paths[i]);
    free(leftovers->paths);
    *leftovers = (struct client_leftovers){0};
}

bool client_is_leftover_name(const char *name, const char *file)
{
    size_t size = strlen(file);

    if (strncmp(name, own_prefix, strlen(own_prefix)) == 0)
        return true;
    return strncmp(name, file, size) == 0 && name[size] &&
           strspn(name + size, "0123456789") == strlen(name + size);
}

static int add_path(struct client_leftovers *leftovers, const char *directory, const char *name)
{
    char **more = reallocarray(leftovers->paths, leftovers->count + 1, sizeof(*more));

    if (!more)
        return -1;
    leftovers->paths = more;
    if (asprintf(&more[leftovers->count], "%s%s", directory, name) < 0)
        return -1;
    leftovers->count++;
    return 0;
}

static bool is_old_file(DIR *stream, const char *name)
{
    struct stat st;

    return fstatat(dirfd(stream), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           time(NULL) - st.st_mtime >= YOUNGEST_S;
}

static int read_directory(const char *directory, const char *file,
                          struct client_leftovers *leftovers)
{
    DIR *stream = opendir(*directory ? directory : ".");
    const struct dirent *entry;
    int r = 0;

    if (!stream)
        return 0;
    while (r == 0 && (entry = readdir(stream)))
        if (client_is_leftover_name(entry->d_name, file) && is_old_file(stream, entry->d_name))
            r = add_path(leftovers, directory, entry->d_name);
    closedir(stream);
    return r;
}

int client_leftovers_find(const char *path, struct client_leftovers *ret, struct error *err)
{
    CLEANUP(client_leftovers_done) struct client_leftovers leftovers = {0};
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *directory = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup("");

    if (!directory || read_directory(directory, slash ? slash + 1 : path, &leftovers) < 0)
        return error_set_oom(err);
    *ret = leftovers;
    leftovers = (struct client_leftovers){0};
    return 0;
}
