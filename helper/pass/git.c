/*
 * If the store is a git repository, each change is committed, as pass does. Unlike pass, which
 * commits everything that is staged and ignores git's errors, each commit has one path and a
 * failure is reported.
 */
#include "helper/pass/git.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/process.h"
#include "gpg/patience.h"
#include "helper/pass/git-trust.h"

enum { LOCK_TRIES = 40, LOCK_PAUSE_MS = 50, STAGE_TRIES = 10, OUTPUT_SIZE = 1024, SIGNING_S = 600 };

/* The state of a path, compared with the last commit and with the index. */
enum standing {
    STANDING_UNCHANGED, /* or git cannot tell */
    STANDING_STAGED,
    STANDING_NOT_STAGED,
};

/* The state that all runs of git for one change share. */
struct git {
    const struct pass_git_trust *trust; /* borrowed */
    const char *dir;                    /* -C: the work tree's root; borrowed */
    char *path;                         /* absolute */
    char output[OUTPUT_SIZE];
    int status;
    time_t end_s; /* the deadline of all these runs, on the monotonic clock */
};

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void git_done(struct git *git)
{
    free(git->path);
}

/* A repository in the store, inspected once for all changes in it. */
struct repository {
    char *dir;
    struct pass_git_trust trust;
};

static void repository_done(struct repository *repository)
{
    free(repository->dir);
}

/* As in pass, the environment cannot redirect git, and git does not search above the store. */
int pass_git_set_environment(const struct pass_store *store)
{
    static const char *const unset[] = {
        "GIT_DIR",           "GIT_WORK_TREE",        "GIT_NAMESPACE",  "GIT_INDEX_FILE",
        "GIT_INDEX_VERSION", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
    };
    CLEANUP_FREE char *ceiling = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(unset); i++)
        unsetenv(unset[i]);
    if (asprintf(&ceiling, "%s/..", store->root) < 0)
        return -ENOMEM;
    return setenv("GIT_CEILING_DIRECTORIES", ceiling, 1) < 0 ? -ENOMEM : 0;
}

/*
 * Whether path or a directory above it contains a .git (a directory, or a file that names one).
 * *ret_length is the length of that directory's name in path.
 */
static bool find_work_tree(int root_fd, const char *path, size_t *ret_length)
{
    char candidate[4096];
    size_t length = strlen(path);

    for (;;) {
        while (length > 0 && path[length] != '/')
            length--;
        *ret_length = length;
        snprintf(candidate, sizeof(candidate), "%.*s%s.git", (int)length, path, length ? "/" : "");
        if (faccessat(root_fd, candidate, F_OK, 0) == 0)
            return true;
        if (length == 0)
            return false;
        length--;
    }
}

/*
 * git runs in the directory that contains the .git, not in that of the entry. There it would search
 * for a repository itself, and might use a directory that only looks like one, which anybody can
 * commit into a store.
 */
static int repository_open(struct repository *repository, const struct pass_store *store,
                           const char *path, size_t tree_length, struct error *err)
{
    CLEANUP_FREE char *dir = NULL;
    int r;

    if (asprintf(&dir, "%s%s%.*s", store->root, tree_length ? "/" : "", (int)tree_length, path) <
        0) {
        dir = NULL;
        return error_set_oom(err);
    }
    if (repository->dir && strcmp(repository->dir, dir) == 0)
        return 0;
    r = pass_git_inspect(dir, gpg_patience(), &repository->trust, err);
    if (r < 0)
        return error_wrap(err, "%s/%s is changed, but not committed", store->root, path);
    free(repository->dir);
    repository->dir = steal_ptr(&dir);
    return 0;
}

static int git_init(struct git *git, const struct pass_store *store,
                    const struct repository *repository, const char *path)
{
    if (asprintf(&git->path, "%s/%s", store->root, path) < 0) {
        git->path = NULL;
        return -ENOMEM;
    }
    git->dir = repository->dir;
    git->trust = &repository->trust;
    git->end_s = now_s() + gpg_patience();
    return 0;
}

/*
 * Runs `git -C dir <words>` with literal path names, and waits for an index lock that another
 * process holds. 0, -ETIMEDOUT, or -errno.
 */
static int git_run(struct git *git, const char *const words[])
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000L * 1000};
    const char *argv[20 + PASS_GIT_OVERRIDES] = {
        "git", "-C", git->dir, "--literal-pathspecs", "-c", "safe.bareRepository=explicit"};
    size_t n = pass_git_overrides(git->trust, argv, 6);
    int r;

    while (*words && n < ARRAY_SIZE(argv) - 1)
        argv[n++] = *words++;
    for (int try = 0;; try++) {
        time_t left = git->end_s - now_s();

        r = left > 0 ? process_run(argv, (int)left, git->output, sizeof(git->output), &git->status)
                     : -ETIMEDOUT;
        if (r < 0 || git->status == 0 || try == LOCK_TRIES || !strstr(git->output, ".lock'"))
            return r;
        nanosleep(&pause, NULL);
    }
}

/*
 * The first column of `git status --porcelain` is the index: ' ' or '?' if it has no change. Keeps
 * the output as it is.
 */
static enum standing standing_of(struct git *git)
{
    const char *const words[] = {"status", "--porcelain", "--", git->path, NULL};
    struct git asked = {
        .trust = git->trust, .dir = git->dir, .path = git->path, .end_s = git->end_s};

    if (git_run(&asked, words) != 0 || asked.status != 0 || !*asked.output)
        return STANDING_UNCHANGED;
    return strchr(" ?", *asked.output) ? STANDING_NOT_STAGED : STANDING_STAGED;
}

static int commit(struct git *git, const struct pass_change *change)
{
    CLEANUP_FREE char *message = NULL;
    const char *words[] = {"commit", "-q", "-m", NULL, "--", git->path, NULL};
    const char *signed_words[] = {"commit", "-q", "-S", "-m", NULL, "--", git->path, NULL};
    bool has_signature = git->trust->is_signing;

    if (asprintf(&message,
                 change->is_removal ? "Remove %s from store."
                                    : "Add given password for %s to store.",
                 change->name) < 0)
        return -ENOMEM;
    words[3] = signed_words[4] = message;
    if (has_signature) /* a person may have to type a passphrase */
        git->end_s += SIGNING_S;
    return git_run(git, has_signature ? signed_words : words);
}

static int stage(struct git *git, const struct pass_change *change)
{
    const char *const add[] = {"add", "--", git->path, NULL};
    const char *const rm[] = {"rm", "-rq", "--cached", "--ignore-unmatch", "--", git->path, NULL};

    return git_run(git, change->is_removal ? rm : add);
}

/* Whether the path lies in the .git directory itself or the repository has no work tree. */
static bool is_outside_work_tree(struct git *git)
{
    const char *const words[] = {"rev-parse", "--is-inside-work-tree", NULL};

    return git_run(git, words) == 0 && git->status == 0 && strncmp(git->output, "false", 5) == 0;
}

/*
 * Stages the change and commits it. 0 with the last status in git, or -errno.
 *
 * A concurrent commit by another program, for example pass, has one of two effects. Either it
 * commits everything that is staged, including our change. Or it reads the index before our change
 * is staged and writes it afterwards; then our change must be staged again.
 */
static int stage_and_commit(struct git *git, const struct pass_change *change)
{
    for (int try = 1;; try++) {
        bool is_last = try == STAGE_TRIES;
        enum standing standing;
        int r = stage(git, change);

        if (r < 0 || git->status != 0)
            return r;
        standing = standing_of(git);
        if (standing == STANDING_UNCHANGED)
            return 0;
        if (standing == STANDING_NOT_STAGED && !is_last)
            continue;
        r = commit(git, change);
        if (r < 0 || git->status == 0)
            return r;
        standing = standing_of(git);
        if (standing == STANDING_UNCHANGED)
            git->status = 0;
        if (standing != STANDING_NOT_STAGED || is_last)
            return 0;
    }
}

/* 0, or negative with the reason. */
static int commit_change(struct git *git, const struct pass_change *change, struct error *err)
{
    int r = stage_and_commit(git, change);

    if (r == -ETIMEDOUT)
        return error_set(
            err, ETIMEDOUT,
            "%s is changed, but git or one of its hooks did not end in time and was stopped; "
            "look with: git -C %s status",
            git->path, git->dir);
    if (r < 0)
        return error_set_errno(err, -r, "%s is changed, but git could not be run to commit it",
                               change->path);
    if (git->status != 0) {
        git->output[strcspn(git->output, "\n")] = '\0';
        return error_set(err, EIO, "%s is changed, but git did not commit it: %s", git->path,
                         *git->output ? git->output : "a hook refused, or it was stopped");
    }
    return 0;
}

static int record(const struct pass_store *store, const struct pass_change *change,
                  struct repository *repository, struct error *err)
{
    CLEANUP(git_done) struct git git = {0};
    size_t tree_length;
    int r;

    if (!find_work_tree(store->root_fd, change->path, &tree_length))
        return 0;
    r = repository_open(repository, store, change->path, tree_length, err);
    if (r < 0)
        return r;
    if (repository->trust.verdict == PASS_GIT_REFUSED)
        return error_set(
            err, EPERM,
            "%s/%s is changed, but not committed, because git might run or change things that are "
            "not "
            "yours (%s); if you trust %s/.git, run: git config --global --add " PASS_GIT_TRUST_KEY
            " '%s'",
            store->root, change->path, repository->trust.why, repository->dir, repository->dir);
    if (git_init(&git, store, repository, change->path) < 0)
        return error_set_oom(err);
    if (is_outside_work_tree(&git))
        return 0;
    r = commit_change(&git, change, err);
    if (r < 0 || !*repository->trust.switched_off)
        return r;
    error_set(err, EPERM,
              "%s is committed, but %s/.git has programs of its own that were not run: %s; if you "
              "trust them, "
              "run: git config --global --add " PASS_GIT_TRUST_KEY " '%s'",
              git.path, repository->dir, repository->trust.switched_off, repository->dir);
    return PASS_GIT_SWITCHED_OFF;
}

int pass_git_record(const struct pass_store *store, const struct pass_changes *changes,
                    struct error *err)
{
    CLEANUP(repository_done) struct repository repository = {0};
    int first = 0;

    if (changes->count > 0 && pass_git_set_environment(store) < 0)
        return error_set_oom(err);
    for (size_t i = 0; i < changes->count && first != -ETIMEDOUT; i++) {
        struct error failure = {0};
        int r = record(store, &changes->items[i], &repository, &failure);

        if (r < 0 ? first >= 0 : first == 0) { /* a failure takes precedence over a remark */
            first = r;
            if (r != 0)
                *err = failure;
        }
    }
    return first;
}
