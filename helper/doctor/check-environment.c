/* Whether docker finds this program, and whose home directory this is. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/process.h"
#include "helper/doctor/checks.h"

#define PROGRAM "docker-credential-pass"

enum { PROGRAM_MAX = 32 << 20 };

static char *read_program(const char *path, size_t *ret_size)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    char *bytes = NULL;

    return fd >= 0 && file_read_all(fd, PROGRAM_MAX, &bytes, ret_size) == 0 ? bytes : NULL;
}

/* The same file, or a copy of it. */
static bool is_same_program(const char *a, const char *b)
{
    CLEANUP_FREE char *left_bytes = NULL, *right_bytes = NULL;
    size_t left_size = 0, right_size = 0;
    struct stat left, right;

    if (stat(a, &left) < 0 || stat(b, &right) < 0)
        return false;
    if (left.st_dev == right.st_dev && left.st_ino == right.st_ino)
        return true;
    if (left.st_size != right.st_size)
        return false;
    left_bytes = read_program(a, &left_size);
    right_bytes = read_program(b, &right_size);
    return left_bytes && right_bytes && left_size == right_size &&
           memcmp(left_bytes, right_bytes, left_size) == 0;
}

const char *check_path(struct doctor *doctor)
{
    static const char self[] = "/proc/self/exe";
    CLEANUP_FREE char *found = NULL, *own = realpath(self, NULL);
    struct finding *finding;
    int r = process_find(PROGRAM, &found);

    if (r == -ENOMEM) {
        doctor->report.is_out_of_memory = true;
    } else if (r < 0) {
        finding = report_add(
            &doctor->report, "helper-not-on-path", FINDING_BAD,
            "Docker runs the helper by its name, so without it no password is stored or found.",
            PROGRAM " is in no directory of PATH");
        finding_add_root_command(finding, "install %s /usr/local/bin/" PROGRAM, own ? own : self);
        /* without /proc this program does not know its own path */
    } else if (own && !is_same_program(found, self)) {
        finding = report_add(
            &doctor->report, "other-helper-first", FINDING_WARNING,
            "Docker runs the first one on PATH, but this report is about another program.",
            "%s comes first on PATH, but is not this program (%s)", found, own);
        if (strrchr(own, '/') && strcmp(strrchr(own, '/'), "/" PROGRAM) == 0) {
            *strrchr(own, '/') = '\0';
            finding_add_command(finding, "export PATH=%s:\"$PATH\"", own);
        }
    }
    return "docker finds this program on PATH";
}

/*
 * In a container HOME often belongs to another user, and everything works. If root has the HOME of
 * a user, a login works too, but leaves files behind that the user cannot read.
 */
const char *check_home(struct doctor *doctor)
{
    const char *home = getenv("HOME");
    struct finding *finding;
    struct stat st;

    if (!home || !*home || stat(home, &st) < 0) {
        doctor->has_no_home = true;
        report_add(&doctor->report, "home-missing", FINDING_BAD,
                   "The store, gpg's keys and docker's configuration are looked for below it.",
                   "HOME does not name a directory: %s", home ? home : "(not set)");
    } else if (st.st_uid != geteuid()) {
        finding = report_add(
            &doctor->report, "home-of-another", geteuid() == 0 ? FINDING_WARNING : FINDING_BAD,
            "With sudo, root uses the store and the keys of this user: gpg refuses them, or leaves "
            "files behind that the user cannot read. With sudo -H, root has its own.",
            "HOME is %s, which belongs to user %u, and this runs as user %u", home,
            (unsigned)st.st_uid, (unsigned)geteuid());
        if (geteuid() == 0)
            finding_add_command(finding, "export HOME=~root");
        else
            return NULL;
    }
    return "the home directory is yours";
}
