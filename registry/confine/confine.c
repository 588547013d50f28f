/*
 * Who the process is: its user and its capabilities, which Linux has for each thread.
 */
#include "registry/confine/confine-private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
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

/* Who has no more need not call, which a service manager's filter may forbid. */
static int set_both(uint64_t kept, struct error *err)
{
    int r = get_permitted() == 0 ? 0 : set_capabilities(kept, kept);

    return r < 0 ? error_set_errno(err, -r, "cannot give up capabilities") : 0;
}

/* No program that was started could have any. Refused where we have not the capability for it: then there are none to keep. */
static void empty_bounding_set(void)
{
    for (unsigned long capability = 0; capability < CAPABILITIES_MAX; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno == EINVAL)
            break;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

/* --- root, and files of others ------------------------------------------------------------------ */

/* By the effective capabilities. What is not there is somebody else's to complain of. */
static bool is_accessible(const char *path, int how)
{
    return !path || faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0 || (errno != EACCES && errno != EPERM);
}

/* Leaves path at a folder that may not be written to: itself or, where it is yet to be made, the one to make it in. */
static bool is_folder_accessible(char *path)
{
    struct stat st;
    char *slash;

    while (stat(path, &st) < 0 && errno == ENOENT && (slash = strrchr(path, '/')) != NULL && slash > path)
        *slash = '\0';
    return is_accessible(path, R_OK | W_OK | X_OK);
}

/* The first that root may not use without being root, or NULL. */
static const char *find_foreign(const struct confinement *confinement)
{
    static const char *const below[] = {"", "/docker/registry/v2/blobs", "/docker/registry/v2/repositories"};
    static char path[4096];

    for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
        snprintf(path, sizeof(path), "%s%s", confinement->storage, below[i]);
        if (!is_folder_accessible(path))
            return path;
    }
    for (size_t i = 0; i < confinement->file_count; i++)
        if (!is_accessible(confinement->files[i], R_OK))
            return confinement->files[i];
    return NULL;
}

/* registry:2 in a container is root, and reads whatever is mounted there, whoever it belongs to. */
static int look_for_foreign(struct confinement *confinement, uint64_t permitted, struct error *err)
{
    const char *foreign;
    int r = set_capabilities(0, permitted);

    if (r < 0)
        return error_set_errno(err, -r, "cannot give up capabilities");
    foreign = find_foreign(confinement);
    confinement->keeps_override = foreign && permitted & bit(CAP_DAC_OVERRIDE);
    if (confinement->keeps_override)
        log_warn("%s is not open to root as its owner: CAP_DAC_OVERRIDE is kept, with which root reads and writes everything; "
                 "give it to root, or set confinement.user to its owner", foreign);
    return 0;
}

/* --- another user -------------------------------------------------------------------------------- */

static int find_user(const char *name, struct passwd *ret, char *buffer, size_t size, struct error *err)
{
    struct passwd *found = NULL;
    int r = getpwnam_r(name, ret, buffer, size, &found);

    if (r != 0)
        return error_set_errno(err, r, "confinement.user: cannot look up %s", name);
    return found ? 0 : error_set(err, ENOENT, "confinement.user: there is no user %s", name);
}

static int become(const char *name, struct error *err)
{
    struct passwd user;
    char buffer[4096];
    int r = find_user(name, &user, buffer, sizeof(buffer), err);

    if (r < 0 || (user.pw_uid == getuid() && user.pw_uid == geteuid()))
        return r;
    if (geteuid() != 0)
        return error_set(err, EPERM, "confinement.user: only root can become %s; start it as that user, or without this",
                         name);
    if (initgroups(name, user.pw_gid) < 0 || setresgid(user.pw_gid, user.pw_gid, user.pw_gid) < 0 ||
        setresuid(user.pw_uid, user.pw_uid, user.pw_uid) < 0)
        return error_set_errno(err, errno, "confinement.user: cannot become %s", name);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the change of users has set it anew */
    return 0;
}

/* --- the outside --------------------------------------------------------------------------------- */

int confine_identity(struct confinement *confinement, struct error *err)
{
    uint64_t lock = bit(CAP_IPC_LOCK), permitted;
    int r;

    empty_bounding_set();
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    r = confinement->user ? become(confinement->user, err) : 0;
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "cannot give up new privileges");
    permitted = get_permitted();
    if (geteuid() == 0)
        r = look_for_foreign(confinement, permitted, err);
    return r < 0 ? r : set_both(permitted & (lock | (confinement->keeps_override ? bit(CAP_DAC_OVERRIDE) : 0)), err);
}

bool confine_is_sanitized(void)
{
    return IS_SANITIZED;
}

/* What the kernel has not is no reason not to serve. */
static int note_absent(int r, const char *what)
{
    if (r == CONFINE_ABSENT)
        log_warn("this kernel has no %s for us: the server runs without", what);
    return r < 0 ? r : 0;
}

int confine_rest(const struct confinement *confinement, struct error *err)
{
    int r = set_both(confinement->keeps_override ? bit(CAP_DAC_OVERRIDE) : 0, err);

    if (r < 0)
        return r;
    if (confine_is_sanitized()) {
        log_info("built with a sanitizer: no Landlock, no seccomp");
        return 0;
    }
    r = note_absent(confine_files(confinement, err), "Landlock (5.19 or later)");
    return r < 0 ? r : note_absent(confine_calls(err), "seccomp");
}
