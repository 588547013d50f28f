/* Whether git records what is stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/process.h"
#include "gpg/patience.h"
#include "helper/doctor/checks.h"

enum { OUTPUT_SIZE = 4096 };

/* git -C root words...; its exit status, or negative. */
static int git(const char *root, char output[OUTPUT_SIZE], const char *const words[])
{
    const char *argv[12] = {"git", "-C", root};
    size_t count = 3;
    int status, r;

    for (; *words && count < ARRAY_SIZE(argv) - 1; words++)
        argv[count++] = *words;
    r = process_run(argv, gpg_patience(), output, OUTPUT_SIZE, &status);
    return r < 0 ? r : status;
}

const char *check_git(struct doctor *doctor)
{
    const char *root = doctor->store.root;
    CLEANUP_FREE char *folder = NULL, *lock = NULL;
    char output[OUTPUT_SIZE];
    struct finding *finding;

    if (!root || doctor->store.root_fd < 0 || asprintf(&folder, "%s/.git", root) < 0 || access(folder, F_OK) < 0)
        return NULL;
    if (asprintf(&lock, "%s/index.lock", folder) >= 0 && access(lock, F_OK) == 0) {
        finding = report_add(&doctor->report, "git-lock", FINDING_WARNING,
                             "While it is there nothing is recorded; it is left by a git that was cut off, unless one runs now.",
                             "%s is there", lock);
        finding_add_command(finding, "rm %s", lock);
    }
    if (git(root, output, (const char *const[]){"var", "GIT_COMMITTER_IDENT", NULL}) != 0) {
        finding = report_add(&doctor->report, "git-no-identity", FINDING_WARNING,
                             "Passwords are stored all the same, but not recorded, and not carried to other machines.",
                             "git does not know who you are, and records nothing in %s", root);
        finding_add_command(finding, "git -C %s config user.email \"$USER@localhost\" && git -C %s config user.name \"$USER\"",
                            root, root);
    }
    if (git(root, output, (const char *const[]){"status", "--porcelain", "--", PASS_FOLDER, NULL}) == 0 && *output) {
        finding = report_add(&doctor->report, "git-not-recorded", FINDING_WARNING,
                             "What is not recorded is not carried to other machines, and has no history.",
                             "%s has changes in " PASS_FOLDER " that git has not recorded", root);
        finding_add_command(finding, "git -C %s add " PASS_FOLDER " && git -C %s commit -m 'Record docker logins'", root, root);
    }
    return "git records what is stored";
}
