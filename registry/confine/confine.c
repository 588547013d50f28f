/*
 * Changes the user and drops the capabilities of the process. Linux keeps both for each thread, so
 * this runs before other threads start.
 */
#include "registry/confine/confine-private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "registry/runtime/log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

enum { CAPABILITIES_MAX = 64 };

static uint64_t bit(int capability)
{
    return (uint64_t)1 << capability;
}

/* --- capabilities --------------------------------------------------------------------------- */

static int set_capabilities(uint64_t effective, uint64_t permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
        {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32)},
    };

    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static uint64_t get_permitted(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    if (syscall(SYS_capget, &header, data) < 0)
        return 0;
    return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

/*
 * Without any capabilities there is no need for the call, which a service manager's filter may
 * forbid.
 */
static int set_both(uint64_t kept, struct error *err)
{
    int r = get_permitted() == 0 ? 0 : set_capabilities(kept, kept);

    return r < 0 ? error_set_errno(err, -r, "cannot give up capabilities") : 0;
}

/*
 * Empties the bounding set, so that a program that an attacker starts gets no capabilities. Needs
 * CAP_SETPCAP; a failure is ignored.
 */
static void empty_bounding_set(void)
{
    for (unsigned long capability = 0; capability < CAPABILITIES_MAX; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno == EINVAL)
            break;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

/* --- root, and other users' files ------------------------------------------------------------ */

/*
 * Checks with the effective capabilities. A missing file counts as accessible: the code that opens
 * it reports it.
 */
static bool is_accessible(const char *path, int how)
{
    return !path || faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0 ||
           (errno != EACCES && errno != EPERM);
}

/* Cuts path down to the deepest directory that exists. */
static void cut_to_existing(char *path, struct stat *ret_stat)
{
    char *slash;

    while (stat(path, ret_stat) < 0 && errno == ENOENT && (slash = strrchr(path, '/')) != NULL &&
           slash > path)
        *slash = '\0';
}

/*
 * Whether a directory, or the existing one in which it will be created, can be used. Cuts path down
 * to that one.
 */
static bool is_directory_accessible(char *path)
{
    struct stat st;

    cut_to_existing(path, &st);
    return is_accessible(path, R_OK | W_OK | X_OK);
}

/* The first directory of a storage that root cannot access without its capabilities, or NULL. */
static const char *find_foreign_below(const char *storage)
{
    static const char *const below[] = {"", "/docker/registry/v2/blobs",
                                        "/docker/registry/v2/repositories"};
    static char path[PATH_MAX];

    for (size_t i = 0; storage && i < ARRAY_SIZE(below); i++) {
        snprintf(path, sizeof(path), "%s%s", storage, below[i]);
        if (!is_directory_accessible(path))
            return path;
    }
    return NULL;
}

/* The first path that root cannot access without its capabilities, or NULL. */
static const char *find_foreign(const struct confinement *confinement)
{
    const char *foreign = find_foreign_below(confinement->storage);

    if (!foreign)
        foreign = find_foreign_below(confinement->source);
    if (foreign)
        return foreign;
    for (size_t i = 0; i < confinement->file_count; i++)
        if (!is_accessible(confinement->files[i], R_OK))
            return confinement->files[i];
    return NULL;
}

/*
 * Keeps CAP_DAC_OVERRIDE if root needs it: registry:2 in a container runs as root and can read
 * files of any owner.
 */
static int look_for_foreign(struct confinement *confinement, uint64_t permitted, struct error *err)
{
    const char *foreign;
    int r = set_capabilities(0, permitted);

    if (r < 0)
        return error_set_errno(err, -r, "cannot give up capabilities");
    foreign = find_foreign(confinement);
    confinement->keeps_override = foreign && permitted & bit(CAP_DAC_OVERRIDE);
    if (confinement->keeps_override)
        log_warn(
            "root keeps CAP_DAC_OVERRIDE, which lets it read and write all files, because %s "
            "belongs to another user: "
            "give it to root, or set confinement.user to its owner",
            foreign);
    return 0;
}

/* --- another user ---------------------------------------------------------------------------- */

/*
 * Changes the user permanently. name is NULL for a user without an entry in the user database, who
 * has no groups.
 */
static int change_user(const char *name, uid_t uid, gid_t gid)
{
    int r = name ? initgroups(name, gid) : setgroups(0, NULL);

    if (r < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* changing the user has reset it */
    return 0;
}

static int become_configured_user(const char *name, struct error *err)
{
    struct passwd user, *found = NULL;
    char buffer[4096];
    int r = getpwnam_r(name, &user, buffer, sizeof(buffer), &found);

    if (r != 0)
        return error_set_errno(err, r, "confinement.user: cannot look up %s", name);
    if (!found)
        return error_set(err, ENOENT, "confinement.user: there is no user %s", name);
    if (user.pw_uid == getuid() && user.pw_uid == geteuid())
        return 0;
    if (geteuid() != 0)
        return error_set(
            err, EPERM,
            "confinement.user: only root can become %s; start as that user, or unset it", name);
    r = change_user(name, user.pw_uid, user.pw_gid);
    return r < 0 ? error_set_errno(err, -r, "confinement.user: cannot become %s", name) : 0;
}

/*
 * Finds the owner of docker/registry/v2, or of the deepest existing directory on the way there;
 * root if nothing exists yet. If a component is a symbolic link, the link's owner counts, because
 * another user could lead root elsewhere with a link.
 */
static int find_owner(const char *storage, struct stat *ret)
{
    static const char *const below[] = {"", "/docker", "/docker/registry", "/docker/registry/v2"};

    *ret = (struct stat){0};
    for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
        char path[PATH_MAX];
        struct stat st;

        snprintf(path, sizeof(path), "%s%s", storage, below[i]);
        if (fstatat(AT_FDCWD, path, &st, i > 0 ? AT_SYMLINK_NOFOLLOW : 0) < 0)
            return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        *ret = st;
        if (S_ISLNK(st.st_mode) && st.st_uid != 0)
            break;
    }
    return 0;
}

/*
 * Changes to the storage's owner without their supplementary groups, which would only give access
 * to other files.
 */
static int become_storage_owner(const char *storage, struct error *err)
{
    struct passwd user, *found = NULL;
    struct stat owner;
    char buffer[4096];
    int r = find_owner(storage, &owner);

    if (r < 0)
        return error_set_errno(err, -r, "cannot find the owner of %s", storage);
    if (owner.st_uid == 0)
        return 0;
    if (getpwuid_r(owner.st_uid, &user, buffer, sizeof(buffer), &found) != 0 || !found)
        found = NULL;
    r = change_user(NULL, owner.st_uid, found ? found->pw_gid : owner.st_gid);
    return r < 0 ? error_set_errno(
                       err, -r,
                       "cannot become the owner of %s (user %u): run the command as that user",
                       storage, (unsigned)owner.st_uid)
                 : 0;
}

static int change_identity(const struct confinement *confinement, struct error *err)
{
    if (confinement->becomes_owner && geteuid() != 0)
        return 0;
    if (confinement->user)
        return become_configured_user(confinement->user, err);
    return confinement->becomes_owner && confinement->storage
               ? become_storage_owner(confinement->storage, err)
               : 0;
}

/* --- public functions ------------------------------------------------------------------------ */

int confine_identity(struct confinement *confinement, struct error *err)
{
    uint64_t lock = bit(CAP_IPC_LOCK), permitted;
    int r;

    empty_bounding_set();
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    r = change_identity(confinement, err);
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "cannot give up new privileges");
    permitted = get_permitted();
    if (geteuid() == 0)
        r = look_for_foreign(confinement, permitted, err);
    return r < 0 ? r
                 : set_both(permitted &
                                (lock | (confinement->keeps_override ? bit(CAP_DAC_OVERRIDE) : 0)),
                            err);
}

bool confine_is_sanitized(void)
{
    return IS_SANITIZED;
}

/* If the kernel lacks a feature, registryd logs that and starts without it. */
static int note_absent(int r, const char *what)
{
    if (r == CONFINE_ABSENT)
        log_warn("this kernel does not support %s: registryd runs without it", what);
    return r < 0 ? r : 0;
}

bool confine_may_connect(const struct confinement *confinement)
{
    return confinement->ports[0] != 0;
}

int confine_rest(const struct confinement *confinement, struct error *err)
{
    int r = set_both(confinement->keeps_override ? bit(CAP_DAC_OVERRIDE) : 0, err);

    if (r < 0)
        return r;
    if (confine_is_sanitized()) {
        log_debug("built with a sanitizer: no Landlock, no seccomp");
        return 0;
    }
    r = note_absent(confine_files(confinement, err), "Landlock (5.19 or later)");
    return r < 0 ? r : note_absent(confine_calls(confinement, err), "seccomp");
}

int confine_tool(struct error *err)
{
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "cannot give up new privileges");
    r = confine_is_sanitized() ? 0 : confine_calls_of_tool(err);
    return r == CONFINE_ABSENT ? 0 : r;
}
