/* Finds, opens and locks a store. */
#include "helper/pass/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "common/file.h"
#include "helper/pass/lock-holder.h"
#include "helper/pass/path.h"
#include "helper/pass/recover.h"

enum { LOCK_TIMEOUT_MS = 30000, STRANGER_TIMEOUT_MS = 1500, LOCK_POLL_MS = 3 };

static const char *find_home(void)
{
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (home && *home)
        return home;
    user = getpwuid(geteuid()); /* as gpg does it */
    return user ? user->pw_dir : NULL;
}

/*
 * PASSWORD_STORE_DIR is taken literally, as pass does: no "~", relative to the working directory.
 */
static int find_root(char **ret_root, struct error *err)
{
    const char *dir = getenv("PASSWORD_STORE_DIR"), *home;
    CLEANUP_FREE char *here = NULL;
    int n;

    if (dir && *dir == '/') {
        n = asprintf(ret_root, "%s", dir);
    } else if (dir && *dir) {
        here = getcwd(NULL, 0);
        if (!here)
            return error_set_errno(
                err, errno, "PASSWORD_STORE_DIR is relative, and the working directory is unknown");
        n = asprintf(ret_root, "%s/%s", here, dir);
    } else {
        home = find_home();
        if (!home)
            return error_set(
                err, ENOENT,
                "there is no password store: neither PASSWORD_STORE_DIR nor HOME is set");
        n = asprintf(ret_root, "%s/.password-store", home);
    }
    return n < 0 ? error_set_oom(err) : 0;
}

static int open_root(struct pass_store *store, struct error *err)
{
    store->root_fd = file_open_directory(AT_FDCWD, store->root);
    if (store->root_fd == -ENOENT)
        store->root_fd = -1;
    else if (store->root_fd < 0)
        return error_set_errno(err, -store->root_fd, "cannot open the password store %s",
                               store->root);
    return 0;
}

static int open_directory(struct pass_store *store, struct error *err)
{
    store->directory_fd = file_open_directory(store->root_fd, PASS_DIRECTORY);
    if (store->directory_fd == -ENOENT)
        store->directory_fd = -1;
    else if (store->directory_fd < 0)
        return error_set_errno(err, -store->directory_fd, "cannot open %s/%s", store->root,
                               PASS_DIRECTORY);
    return 0;
}

int pass_store_open(struct pass_store *store, struct error *err)
{
    int r = find_root(&store->root, err);

    if (r == 0)
        r = open_root(store, err);
    if (r == 0 && store->root_fd >= 0)
        r = open_directory(store, err);
    return r;
}

static void set_signals_blocked(bool is_blocked)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGQUIT);
    sigprocmask(is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL);
}

void pass_store_done(struct pass_store *store)
{
    if (store->directory_fd >= 0)
        close(store->directory_fd);
    if (store->root_fd >= 0)
        close(store->root_fd); /* this also releases the lock */
    free(store->root);
    if (store->has_blocked_signals)
        set_signals_blocked(false);
    *store = (struct pass_store)PASS_STORE_INIT;
}

/* Octal, as in umask(2). pass also accepts the symbolic form, which is refused here. */
static int set_umask(struct error *err)
{
    const char *text = getenv("PASSWORD_STORE_UMASK");
    unsigned long mask = 077;
    char *end;

    if (text && *text) {
        mask = strtoul(text, &end, 8);
        if (strspn(text, "01234567") != strlen(text) || *end || mask > 0777)
            return error_set(
                err, EINVAL,
                "PASSWORD_STORE_UMASK is \"%s\", which is not an octal mask such as 077", text);
    }
    umask((mode_t)mask);
    return 0;
}

/* Like mkdir -p. A store without .gpg-id, with PASSWORD_STORE_KEY alone, may not exist yet. */
static int make_root(const char *root)
{
    CLEANUP_FREE char *path = strdup(root);

    if (!path)
        return -ENOMEM;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

/* Describes who holds the lock, or says that it is unknown. */
static void describe_holder(int fd, char *ret_text, size_t size)
{
    struct pass_lock_holder holder;

    if (pass_lock_find_holder(fd, &holder) == 0)
        snprintf(ret_text, size, "%s (process %ld of %s)", holder.name, (long)holder.pid,
                 holder.user);
    else
        snprintf(ret_text, size, "another program");
}

/* Whether a user who cannot change the store holds its lock; warns about it once. */
static bool is_held_by_stranger(const struct pass_store *store)
{
    struct pass_lock_holder holder;
    struct error remark;

    if (pass_lock_find_holder(store->root_fd, &holder) < 0 ||
        !pass_lock_is_stranger(&holder, store->root_fd))
        return false;
    error_set(&remark, EBUSY,
              "%s (process %ld) holds the lock on %s, which is not theirs, and was not waited for; "
              "keep others "
              "out with: chmod 700 %s",
              holder.user, (long)holder.pid, store->root, store->root);
    fprintf(stderr, "docker-credential-pass: warning: %s\n", remark.text);
    return true;
}

/*
 * Some network file systems cannot lock a directory; writers then run concurrently. They also do so
 * if a stranger holds the lock. The only risk is that the entry of a former user stays behind if
 * two logins to one server coincide.
 */
static int wait_for_lock(struct pass_store *store)
{
    const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000L * 1000};

    for (int waited = 0; waited < LOCK_TIMEOUT_MS; waited += LOCK_POLL_MS) {
        store->has_lock = flock(store->root_fd, LOCK_EX | LOCK_NB) == 0;
        if (store->has_lock || (errno != EWOULDBLOCK && errno != EINTR))
            return 0;
        if (waited == STRANGER_TIMEOUT_MS && is_held_by_stranger(store))
            return 0;
        nanosleep(&pause, NULL);
    }
    return -ETIMEDOUT;
}

void pass_store_name_temporary(struct pass_store *store, bool is_random)
{
    unsigned int number = 0;

    snprintf(store->temporary, sizeof(store->temporary), "%s", PASS_TEMPORARY);
    if (!is_random)
        return;
    if (getrandom(&number, sizeof(number), 0) < 0)
        number = (unsigned int)getpid();
    snprintf(store->temporary, sizeof(store->temporary), "%s-%08x", PASS_TEMPORARY, number);
}

int pass_store_lock(struct pass_store *store, struct error *err)
{
    int r = set_umask(err);
    char holder[128];

    if (r < 0)
        return r;
    if (store->root_fd < 0) {
        r = make_root(store->root);
        if (r < 0)
            return error_set_errno(err, -r, "cannot create the password store %s", store->root);
        r = open_root(store, err);
        if (r < 0)
            return r;
    }
    if (wait_for_lock(store) < 0) {
        describe_holder(store->root_fd, holder, sizeof(holder));
        return error_set(
            err, ETIMEDOUT,
            "%s has been changing the password store %s for %d seconds; try again when it is done",
            holder, store->root, LOCK_TIMEOUT_MS / 1000);
    }
    set_signals_blocked(true);
    store->has_blocked_signals = true;
    pass_store_name_temporary(store, !store->has_lock);
    return 0;
}

int pass_store_open_directory(struct pass_store *store, bool is_made, struct error *err)
{
    int r;

    if (store->directory_fd >= 0)
        close(store->directory_fd);
    store->directory_fd = -1;
    if (is_made && mkdirat(store->root_fd, PASS_DIRECTORY, 0777) == 0) {
        r = file_sync_directory(store->root_fd);
        if (r < 0)
            return error_set_errno(err, -r, "cannot write %s", store->root);
    } else if (is_made && errno != EEXIST) {
        return error_set_errno(err, errno, "cannot create %s/%s", store->root, PASS_DIRECTORY);
    }
    r = open_directory(store, err);
    if (r == 0 && store->directory_fd < 0 && is_made)
        return error_set_errno(err, ENOENT, "cannot open %s/%s, a link that leads nowhere",
                               store->root, PASS_DIRECTORY);
    if (r == 0 && store->directory_fd >= 0 && store->has_lock)
        pass_recover(store->directory_fd);
    return r;
}
