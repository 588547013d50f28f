/*
 * Names in the store, and which of them are refused. A username is typed by the person who runs
 * `docker login`, and must never lead to a file outside the server's directory.
 */
#include "helper/pass/path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "common/base64.h"

int pass_path_set_url(struct pass_path *path, const void *url, size_t size)
{
    if (size > PASS_URL_MAX)
        return -ENAMETOOLONG;
    base64url_encode(url, size, path->directory);
    path->file[0] = '\0';
    return 0;
}

/* One part of a username between two '/': a file name, of which the last gets a suffix. */
static int check_part(const char *part, size_t size, bool is_last)
{
    static const char *const refused[] = {"", ".", "..", ".git"};

    if (size > (is_last ? PASS_USERNAME_PART_MAX : NAME_MAX))
        return -ENAMETOOLONG;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        if (size == strlen(refused[i]) && strncasecmp(part, refused[i], size) == 0)
            return -EINVAL;
    return 0;
}

int pass_path_set_username(struct pass_path *path, const void *username, size_t size)
{
    const char *at = username;
    size_t left = size, slashes = 0;

    if (size > PASS_USERNAME_MAX)
        return -ENAMETOOLONG;
    if (size == 0 || memchr(username, '\0', size))
        return -EINVAL;
    for (;;) {
        const char *slash = memchr(at, '/', left);
        size_t length = slash ? (size_t)(slash - at) : left;
        int r = check_part(at, length, slash == NULL);

        if (r < 0)
            return r;
        if (!slash)
            break;
        if (++slashes > PASS_USERNAME_SLASHES_MAX)
            return -ENAMETOOLONG;
        at = slash + 1;
        left -= length + 1;
    }
    memcpy(path->file, username, size);
    memcpy(path->file + size, PASS_SUFFIX, sizeof(PASS_SUFFIX));
    return 0;
}

bool pass_path_is_entry(const char *name)
{
    size_t length = strlen(name), suffix = strlen(PASS_SUFFIX);

    return length > suffix && strcmp(name + length - suffix, PASS_SUFFIX) == 0;
}

int pass_path_parse_directory(const char *name, void *ret_url, size_t *ret_size)
{
    size_t length = strlen(name);

    /*
     * 256 characters still fit into the caller's buffer when decoded; file names cannot be longer.
     */
    if (length == 0 || length > 256)
        return -EINVAL;
    return base64url_decode(name, length, ret_url, ret_size);
}
