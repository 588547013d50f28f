/*
 * Builds the Landlock rules, which decide which files the process can access. glibc has no wrappers
 * for Landlock, and the header on Debian 12 may be older than the kernel, so the constants are
 * defined here (Documentation/userspace-api/landlock.rst).
 *
 * A file that was replaced is opened again by its name. Therefore its directory may be read and, if
 * the file is a symbolic link (as with Let's Encrypt and Kubernetes), also the directory of its
 * target.
 */
#include "registry/confine/confine-private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "registry/runtime/log.h"

/* Version 1 cannot allow moving files between directories. */
enum {
    VERSION_MIN = 2,
    VERSION_TRUNCATE = 3,
    VERSION_TCP = 4,
    VERSION_DEVICES = 5,
    VERSION_SCOPES = 6
};

/* Of version 4, which newer headers name LANDLOCK_RULE_NET_PORT and LANDLOCK_ACCESS_NET_*. */
enum { RULE_PORT = 2, BIND = 1, CONNECT = 2, PORT_OF_NAMES = 53 };

#define READING ((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ALL_OF_VERSION_1 (((uint64_t)LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define REFER ((uint64_t)1 << 13)
#define TRUNCATE ((uint64_t)1 << 14)
#define DEVICES ((uint64_t)1 << 15)
#define STORING                                                                                    \
    (READING | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                     \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     REFER | TRUNCATE)

/* Files of one directory, without directories below it. */
#define CACHING                                                                                    \
    (READING | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                    \
     LANDLOCK_ACCESS_FS_MAKE_REG)

/* As of version 6; an older kernel reads the members that it knows. */
struct rules {
    uint64_t files;
    uint64_t tcp;    /* binding and connecting */
    uint64_t scopes; /* abstract sockets and signals of other processes */
};

struct ruleset {
    int fd;
    int version; /* of Landlock */
    uint64_t handled;
};

static int make_ruleset(int version, struct ruleset *ret)
{
    const struct rules rules = {
        .files = ALL_OF_VERSION_1 | REFER | (version >= VERSION_TRUNCATE ? TRUNCATE : 0) |
                 (version >= VERSION_DEVICES ? DEVICES : 0),
        .tcp = BIND | CONNECT,
        .scopes = 3,
    };
    size_t size = version >= VERSION_SCOPES ? sizeof(rules) : version >= VERSION_TCP ? 16 : 8;

    ret->version = version;
    ret->handled = rules.files;
    ret->fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    return ret->fd < 0 ? -errno : 0;
}

/* Allows these operations below the directory at path. A missing directory needs no rule. */
static int allow(const struct ruleset *ruleset, const char *path, uint64_t access,
                 struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = access & ruleset->handled,
                                              .parent_fd = fd};

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : error_set_errno(err, errno, "cannot open %s", path);
    if (syscall(SYS_landlock_add_rule, ruleset->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_set_errno(err, errno, "Landlock: cannot allow %s", path);
    return 0;
}

static int allow_directory_of(const struct ruleset *ruleset, const char *path, struct error *err)
{
    CLEANUP_FREE char *copy = strdup(path);
    const char *directory = copy ? dirname(copy) : NULL;

    if (!directory)
        return error_set_oom(err);
    if (strcmp(directory, "/") == 0 || strcmp(directory, "/etc") == 0)
        log_warn(
            "the server can read all of %s, because %s lies there and may be replaced: move the "
            "file to a directory of its "
            "own",
            directory, path);
    return allow(ruleset, directory, READING, err);
}

static int allow_file(const struct ruleset *ruleset, const char *path, struct error *err)
{
    CLEANUP_FREE char *real = realpath(path, NULL);
    int r = allow_directory_of(ruleset, path, err);

    return r < 0 || !real || strcmp(real, path) == 0 ? r : allow_directory_of(ruleset, real, err);
}

/* The administrator may have moved a part of the storage to another disk, and left a link. */
static int allow_storage(const struct ruleset *ruleset, const char *root, uint64_t access,
                         struct error *err)
{
    static const char *const below[] = {
        "", "/docker", "/docker/registry", "/docker/registry/v2", "/docker/registry/v2/blobs",
        "/docker/registry/v2/repositories",
    };
    char path[PATH_MAX];
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(below); i++) {
        snprintf(path, sizeof(path), "%s%s", root, below[i]);
        r = allow(ruleset, path, access, err);
    }
    return r;
}

/* --- connections ----------------------------------------------------------------------------- */

/* Allows to read a file, or all files in a directory. A missing one needs no rule. */
static int allow_reading(const struct ruleset *ruleset, const char *path, struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
                                              .parent_fd = fd};

    if (fd < 0)
        return 0;
    if (syscall(SYS_landlock_add_rule, ruleset->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_set_errno(err, errno, "Landlock: cannot allow %s", path);
    return 0;
}

/*
 * What the C library reads to resolve a name. Only these files of /etc, so a resolv.conf that is
 * replaced there is not seen before the next start; where a service maintains it, it is usually a
 * link to a directory of its own.
 */
static int allow_names(const struct ruleset *ruleset, struct error *err)
{
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf",
                                        "/etc/host.conf",   "/etc/gai.conf", "/run/systemd/resolve",
                                        "/run/resolvconf",  "/run/NetworkManager"};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
        r = allow_reading(ruleset, files[i], err);
    return r;
}

static int allow_port(const struct ruleset *ruleset, unsigned port, struct error *err)
{
    struct {
        uint64_t access, port;
    } rule = {.access = CONNECT, .port = port};

    if (syscall(SYS_landlock_add_rule, ruleset->fd, RULE_PORT, &rule, 0) < 0)
        return error_set_errno(err, errno, "Landlock: cannot allow the port %u", port);
    return 0;
}

/* Kernels before 6.7 cannot say which ports, and then allow all. */
static int allow_connections(const struct ruleset *ruleset, const struct confinement *confinement,
                             struct error *err)
{
    int r = allow_names(ruleset, err);

    if (r == 0 && confinement->authorities)
        r = allow_file(ruleset, confinement->authorities, err);
    if (r == 0 && confinement->token_file)
        r = allow_file(ruleset, confinement->token_file, err);
    if (r < 0 || ruleset->version < VERSION_TCP)
        return r;
    for (size_t i = 0; r == 0 && i < CONFINE_PORTS_MAX && confinement->ports[i]; i++)
        r = allow_port(ruleset, confinement->ports[i], err);
    return r < 0 ? r : allow_port(ruleset, PORT_OF_NAMES, err);
}

static int fill(const struct ruleset *ruleset, const struct confinement *confinement,
                struct error *err)
{
    int r = confinement->storage ? allow_storage(ruleset, confinement->storage, STORING, err) : 0;

    if (r == 0 && confinement->cache)
        r = allow(ruleset, confinement->cache, CACHING, err);

    if (r == 0 && confinement->source)
        r = allow_storage(ruleset, confinement->source, READING, err);

    if (r == 0 && confine_may_connect(confinement))
        r = allow_connections(ruleset, confinement, err);

    for (size_t i = 0; r == 0 && i < confinement->file_count; i++)
        if (confinement->files[i])
            r = allow_file(ruleset, confinement->files[i], err);
    return r;
}

int confine_files(const struct confinement *confinement, struct error *err)
{
    int version =
        (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset ruleset;
    int r;

    if (version < VERSION_MIN)
        return CONFINE_ABSENT;
    r = make_ruleset(version, &ruleset);
    if (r < 0)
        return error_set_errno(err, -r, "Landlock: cannot make rules");
    r = fill(&ruleset, confinement, err);
    if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset.fd, 0) < 0)
        r = error_set_errno(err, errno, "Landlock: cannot enable the rules");
    close(ruleset.fd);
    return r;
}
