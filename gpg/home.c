/*
 * gpg's rules for the location of its files. Rare variants are detected and left to gpg.
 */
#include "gpg/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "gpg/conf.h"
#include "gpg/outer-user.h"

enum { CONF_MAX = 64 << 10, MOST_FILES = 512, SHA1_SIZE = 20, HASHED_SIZE = 15 };

#define SYSTEM_DIRECTORY "/etc/gnupg"

/* --- the directory --------------------------------------------------------------------------- */

/* gpg normalises other forms before it compares and hashes the path. */
static bool is_plain(const char *path)
{
    size_t length = strlen(path);

    return path[0] == '/' && length > 1 && length < PATH_MAX && path[length - 1] != '/';
}

int gpg_home_find(const char *given, struct gpg_home *ret)
{
    const char *user_home = getenv("HOME"), *from_environment = getenv("GNUPGHOME");
    char standard[PATH_MAX];

    if (!given && from_environment && *from_environment)
        given = from_environment;
    if (!user_home || !is_plain(user_home) ||
        (size_t)snprintf(standard, sizeof(standard), "%s/.gnupg", user_home) >= sizeof(standard))
        return -ENOTSUP;
    if (!given)
        given = standard;
    if (!is_plain(given))
        return -ENOTSUP;
    memcpy(ret->path, given, strlen(given) + 1);
    ret->is_default = strcmp(given, standard) == 0;
    return 0;
}

/* --- its configuration ----------------------------------------------------------------------- */

/* Whether the file is missing, or has no option that matters. */
static bool is_harmless_file(int directory_fd, const char *path)
{
    CLEANUP_FREE char *text = NULL;
    CLEANUP_CLOSE int fd = openat(directory_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    size_t size;

    if (fd < 0)
        return errno == ENOENT;
    return file_read_all(fd, CONF_MAX, &text, &size) == 0 && gpg_conf_is_harmless(text, size);
}

/* gpg prefers pubring.gpg if it exists, and gpg.conf-2 and similar names to gpg.conf. */
static bool is_odd(const char *name)
{
    return strcmp(name, "pubring.gpg") == 0 || strncmp(name, "gpg.conf-", 9) == 0;
}

/* Reads a common.conf, which may be missing. */
static int check_common_conf(struct gpg_home *home, int directory_fd, const char *path)
{
    CLEANUP_FREE char *text = NULL;
    CLEANUP_CLOSE int fd = openat(directory_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    enum gpg_common_conf said;
    size_t size;

    if (fd < 0)
        return errno == ENOENT ? 0 : -ENOTSUP;
    if (file_read_all(fd, CONF_MAX, &text, &size) < 0)
        return -ENOTSUP;
    said = gpg_common_conf_parse(text, size);
    home->uses_keyboxd |= said == GPG_COMMON_CONF_KEYBOXD;
    return said == GPG_COMMON_CONF_UNKNOWN ? -ENOTSUP : 0;
}

static int check_names(DIR *directory)
{
    const struct dirent *entry;

    errno = 0;
    for (unsigned count = 0; (entry = readdir(directory)); count++)
        if (count == MOST_FILES || is_odd(entry->d_name))
            return -ENOTSUP;
    return errno ? -ENOTSUP : 0;
}

int gpg_home_check(struct gpg_home *home)
{
    DIR *directory = opendir(home->path);
    int r;

    if (!directory)
        return -ENOTSUP;
    r = check_names(directory);
    if (r == 0 && !is_harmless_file(dirfd(directory), "gpg.conf"))
        r = -ENOTSUP;
    if (r == 0)
        r = check_common_conf(home, dirfd(directory), "common.conf");
    if (r == 0)
        r = check_common_conf(home, AT_FDCWD, SYSTEM_DIRECTORY "/common.conf");
    closedir(directory);
    if (r == 0 && (!is_harmless_file(AT_FDCWD, SYSTEM_DIRECTORY "/gpg.conf") ||
                   access("/usr/bin/gpgconf.ctl", F_OK) == 0))
        r = -ENOTSUP;
    return r;
}

/* --- the agent's socket ---------------------------------------------------------------------- */

static bool is_directory_of_ours(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid();
}

static bool is_private_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() &&
           !(st.st_mode & 077);
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) < 0 && errno == ENOENT;
}

/* The first bytes of the path's SHA-1 in z-base-32. */
static void format_hash(const char *path, char ret[HASHED_SIZE * 8 / 5 + 1])
{
    static const char digits[] = "ybndrfg8ejkmcpqxot1uwisza345h769";
    unsigned char hash[SHA1_SIZE];
    unsigned value = 0, bits = 0;

    gcry_md_hash_buffer(GCRY_MD_SHA1, hash, path, strlen(path));
    for (size_t i = 0; i < HASHED_SIZE; i++) {
        value = value << 8 | hash[i];
        for (bits += 8; bits >= 5; bits -= 5)
            *ret++ = digits[value >> (bits - 5) & 31];
        value &= 31;
    }
    *ret = '\0';
}

/*
 * The directory in /run/user/<uid> with the home directory's sockets; "" if they are in the home
 * directory itself.
 */
static void find_socket_directory(const struct gpg_home *home, uid_t uid, char *ret, size_t size)
{
    char users[32], base[48], hash[HASHED_SIZE * 8 / 5 + 1];

    ret[0] = '\0';
    snprintf(users, sizeof(users), "/run/user/%u", (unsigned)uid);
    if (!is_directory_of_ours(users))
        return;
    snprintf(base, sizeof(base), "%s/gnupg", users);
    /* gpg creates it if it is missing */
    if (is_missing(base) || (is_private_directory(base) && home->is_default)) {
        snprintf(ret, size, "%s", base);
        return;
    }
    format_hash(home->path, hash);
    snprintf(ret, size, "%s/d.%s", base, hash);
    if (!is_private_directory(base) || !is_private_directory(ret))
        ret[0] = '\0';
}

int gpg_home_find_socket(const struct gpg_home *home, const char *name,
                         char ret_path[SOCKET_PATH_SIZE])
{
    char socket_directory[SOCKET_PATH_SIZE], outer_path[SOCKET_PATH_SIZE];
    uid_t outer;

    find_socket_directory(home, getuid(), socket_directory, sizeof(socket_directory));
    if (snprintf(ret_path, SOCKET_PATH_SIZE, "%s/%s",
                 *socket_directory ? socket_directory : home->path, name) >= SOCKET_PATH_SIZE)
        return -ENOTSUP;
    if (!is_missing(ret_path) || !gpg_outer_user_find(&outer))
        return 0;
    find_socket_directory(home, outer, socket_directory, sizeof(socket_directory));
    if (*socket_directory &&
        snprintf(outer_path, SOCKET_PATH_SIZE, "%s/%s", socket_directory, name) < SOCKET_PATH_SIZE)
        memcpy(ret_path, outer_path, SOCKET_PATH_SIZE);
    return 0;
}
