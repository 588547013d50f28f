/* Whether git records what is stored. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/process.h"
#include "gpg/patience.h"
#include "helper/doctor/checks.h"
#include "helper/pass/git-trial.h"
#include "helper/pass/git-trust.h"
#include "helper/pass/git.h"

enum { OUTPUT_SIZE = 4096 };

static const char unrecorded_why[] =
    "Passwords are stored anyway, but not recorded, and not copied to other machines.";

/* git in an inspected repository; its exit status, or negative. */
static int git(const char *root, const struct pass_git_trust *trust, char output[OUTPUT_SIZE],
               const char *const words[])
{
    const char *argv[12 + PASS_GIT_OVERRIDES] = {"git", "-C", root};
    size_t count = pass_git_overrides(trust, argv, 3);
    int status, r;

    for (; *words && count < ARRAY_SIZE(argv) - 1; words++)
        argv[count++] = *words;
    r = process_run(argv, gpg_patience(), output, OUTPUT_SIZE, &status);
    return r < 0 ? r : status;
}

static void add_trust_command(struct finding *finding, const char *root)
{
    finding_add_command(finding, "git config --global --add " PASS_GIT_TRUST_KEY " %s", root);
}

/* Whether git may be run in the repository. */
static bool check_trust(struct doctor *doctor, const char *root, struct pass_git_trust *ret)
{
    CLEANUP_FREE char *path = NULL;
    struct finding *finding;
    struct error err;

    if (process_find("git", &path) == -ENOENT) {
        finding = report_add(&doctor->report, "git-missing", FINDING_WARNING, unrecorded_why,
                             "%s is a git repository, and git is not installed", root);
        finding_add_root_command(finding, "apt-get install -y git");
        return false;
    }
    if (pass_git_inspect(root, gpg_patience(), ret, &err) < 0) {
        report_add(&doctor->report, "git-not-run", FINDING_WARNING, unrecorded_why, "%s", err.text);
        return false;
    }
    if (ret->verdict == PASS_GIT_REFUSED) {
        finding = report_add(&doctor->report, "git-not-trusted", FINDING_WARNING,
                             "git would run programs, or change files, that somebody else may have "
                             "named there, so nothing is "
                             "recorded. If the repository is yours alone, say so once:",
                             "git is not run in %s: %s", root, ret->why);
        add_trust_command(finding, root);
        return false;
    }
    if (*ret->switched_off) {
        finding = report_add(
            &doctor->report, "git-programs-not-run", FINDING_WARNING,
            "They came with the store, and may be somebody else's. If you trust them, say so once:",
            "%s/.git has programs of its own that do not run: %s", root, ret->switched_off);
        add_trust_command(finding, root);
    }
    return true;
}

/*
 * An additional work tree and a submodule have a file .git with the line "gitdir: DIRECTORY".
 */
static bool check_link_file(struct doctor *doctor, const char *git_path)
{
    static const char prefix[] = "gitdir: ";
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, git_path, NULL);
    CLEANUP_FREE char *text = NULL, *target = NULL;
    size_t size, length = strlen(prefix);

    if (fd < 0 || file_read_all(fd, OUTPUT_SIZE, &text, &size) < 0 ||
        strncmp(text, prefix, length) != 0)
        return true;
    text[strcspn(text, "\n")] = '\0';
    if (text[length] == '/')
        target = strdup(text + length);
    else if (asprintf(&target, "%.*s/%s", (int)(strrchr(git_path, '/') - git_path), git_path,
                      text + length) < 0)
        target = NULL;
    if (!target || access(target, F_OK) == 0)
        return true;
    report_add(&doctor->report, "git-broken", FINDING_WARNING, unrecorded_why,
               "%s names a repository that does not exist: %s", git_path, target);
    return false;
}

/* Reports git's message if git cannot use the repository. */
static bool check_repository(struct doctor *doctor, const char *root,
                             const struct pass_git_trust *trust)
{
    char output[OUTPUT_SIZE];

    if (git(root, trust, output,
            (const char *const[]){"status", "--porcelain", "--", PASS_DIRECTORY, NULL}) == 0)
        return true;
    output[strcspn(output, "\n")] = '\0';
    report_add(&doctor->report, "git-broken", FINDING_WARNING, unrecorded_why,
               "git cannot use the repository in %s; it says: %s", root,
               *output ? output : "(nothing)");
    return false;
}

/* A commit during a merge would conclude the merge, so none is proposed. */
static bool check_merge(struct doctor *doctor, const char *root, const struct pass_git_trust *trust)
{
    char output[OUTPUT_SIZE];

    if (git(root, trust, output,
            (const char *const[]){"rev-parse", "-q", "--verify", "MERGE_HEAD", NULL}) != 0)
        return true;
    report_add(&doctor->report, "git-merging", FINDING_WARNING,
               "Until then passwords are stored, but not recorded. Finish it (git merge "
               "--continue), or give it up (git merge "
               "--abort).",
               "a merge in %s is not finished", root);
    return false;
}

static void check_ignored(struct doctor *doctor, const char *root,
                          const struct pass_git_trust *trust)
{
    char output[OUTPUT_SIZE];

    if (git(root, trust, output,
            (const char *const[]){"check-ignore", "-q", PASS_DIRECTORY "/server/user.gpg", NULL}) ==
        0)
        report_add(&doctor->report, "git-ignores", FINDING_WARNING, unrecorded_why,
                   "git ignores new entries in %s, because of a .gitignore or core.excludesFile",
                   root);
}

static void check_commit(struct doctor *doctor, const char *root,
                         const struct pass_git_trust *trust)
{
    struct finding *finding;
    struct error err;
    int r = pass_git_try_commit(root, trust, &err);

    if (r < 0) {
        report_add(&doctor->report, "git-not-tried", FINDING_WARNING,
                   "So it is unknown whether this works.", "%s", err.text);
    } else if (r == PASS_GIT_HOOK_REFUSES) {
        report_add(&doctor->report, "git-hook-refuses", FINDING_WARNING, unrecorded_why, "%s",
                   err.text);
    } else if (r > 0) {
        finding = report_add(&doctor->report, "git-key-missing", FINDING_WARNING, unrecorded_why,
                             "%s", err.text);
        finding_add_command(finding,
                            r == PASS_GIT_PASS_KEY_MISSING
                                ? "git -C %s config pass.signcommits false && git -C %s config "
                                  "commit.gpgsign false"
                                : "git -C %s config commit.gpgsign false",
                            root, root);
    }
}

const char *check_git(struct doctor *doctor)
{
    const char *root = doctor->store.root;
    CLEANUP_FREE char *git_path = NULL, *lock = NULL;
    struct pass_git_trust trust;
    char output[OUTPUT_SIZE];
    struct finding *finding;

    if (!root || doctor->store.root_fd < 0 || asprintf(&git_path, "%s/.git", root) < 0 ||
        access(git_path, F_OK) < 0)
        return NULL;
    if (asprintf(&lock, "%s/index.lock", git_path) >= 0 && access(lock, F_OK) == 0) {
        finding = report_add(&doctor->report, "git-lock", FINDING_WARNING,
                             "While it exists, nothing is recorded. An interrupted git left it "
                             "behind, unless git is running now.",
                             "%s exists", lock);
        finding_add_command(finding, "rm %s", lock);
    }
    if (!check_link_file(doctor, git_path))
        return NULL;
    if (pass_git_set_environment(&doctor->store) < 0) {
        doctor->report.is_out_of_memory = true;
        return NULL;
    }
    if (!check_trust(doctor, root, &trust) || !check_repository(doctor, root, &trust))
        return NULL;
    check_ignored(doctor, root, &trust);
    if (git(root, &trust, output, (const char *const[]){"var", "GIT_COMMITTER_IDENT", NULL}) != 0) {
        finding = report_add(&doctor->report, "git-no-identity", FINDING_WARNING, unrecorded_why,
                             "git does not know who you are, and records nothing in %s", root);
        finding_add_command(finding,
                            "git -C %s config user.email \"$USER@localhost\" && git -C %s config "
                            "user.name \"$USER\"",
                            root, root);
    } else {
        check_commit(doctor, root, &trust);
    }
    if (check_merge(doctor, root, &trust) &&
        git(root, &trust, output,
            (const char *const[]){"status", "--porcelain", "--", PASS_DIRECTORY, NULL}) == 0 &&
        *output) {
        finding = report_add(
            &doctor->report, "git-not-recorded", FINDING_WARNING,
            "Changes that are not recorded are not copied to other machines, and have no history.",
            "%s has changes in " PASS_DIRECTORY " that git has not recorded", root);
        finding_add_command(finding,
                            "git -C %s add " PASS_DIRECTORY
                            " && git -C %s commit -m 'Record docker logins'",
                            root, root);
    }
    return "the store is a git repository, and git knows who records changes in it";
}
