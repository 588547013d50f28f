/* gpg itself and its home directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "gpg/access.h"
#include "gpg/agent-conf.h"
#include "gpg/debug-options.h"
#include "gpg/home.h"
#include "gpg/query.h"
#include "helper/doctor/checks.h"

#define SYSTEM_CONF "/etc/gnupg"

/* Whether it is a file or directory that belongs to the user. */
static bool is_own(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
           st.st_uid == geteuid();
}

void doctor_fix_mode(const struct doctor *doctor, struct finding *finding, const char *path,
                     unsigned mode)
{
    CLEANUP_CLOSE int fd = finding ? open(path, O_PATH | O_CLOEXEC) : -1;
    char opened[64];

    if (fd < 0 || !is_own(fd))
        return;
    finding->is_fixable = true;
    /* fchmod() refuses a descriptor made by O_PATH; its name in /proc leads to the same inode. */
    snprintf(opened, sizeof(opened), "/proc/self/fd/%d", fd);
    finding->is_fixed = doctor->does_fix && chmod(opened, mode) == 0;
}

/* The text of a configuration file; NULL if it cannot be read. Owned by the caller. */
static char *read_conf(const char *directory, const char *file)
{
    CLEANUP_FREE char *path = NULL, *text = NULL;
    CLEANUP_CLOSE int fd = -1;
    size_t size;

    if (asprintf(&path, "%s/%s", directory, file) < 0) {
        path = NULL;
        return NULL;
    }
    fd = file_open_regular(AT_FDCWD, path, NULL);
    return fd < 0 || file_read_all(fd, 1 << 16, &text, &size) < 0 ? NULL : steal_ptr(&text);
}

char *doctor_get_gnupg_option(const struct gpg_home *home, const char *file, const char *name)
{
    CLEANUP_FREE char *text = read_conf(home->path, file);

    return text ? gpg_agent_parse_option(text, name) : NULL;
}

/* --- the home directory ---------------------------------------------------------------------- */

static void check_gnupg_mode(struct doctor *doctor, const char *home)
{
    struct finding *finding;
    struct stat st;

    if (stat(home, &st) < 0)
        return; /* gpg creates it */
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && st.st_mode & 0077) {
        finding =
            report_add(&doctor->report, "gnupg-home-mode", FINDING_WARNING,
                       "Other users can read gpg's directory, and gpg warns about it each time.",
                       "%s has the mode %04o", home, (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod 700 %s", home);
        doctor_fix_mode(doctor, finding, home, 0700);
    }
}

static void report_debugging(struct doctor *doctor, const char *directory, const char *file,
                             const char *line)
{
    bool is_gpg = strcmp(file, "gpg.conf") == 0;
    CLEANUP_FREE char *option = strndup(line, strcspn(line, " \t"));
    bool is_own = strcmp(directory, SYSTEM_CONF) != 0;
    struct finding *finding = report_add(
        &doctor->report, "gnupg-debug", is_gpg ? FINDING_BAD : FINDING_WARNING,
        is_gpg ? "gpg then writes passwords into files in the working directory, so it is not "
                 "used, and docker login fails. Without that line it does not:"
               : "gpg-agent then writes session keys into its log. Without that line it does not:",
        "%s/%s has the line \"%s\"", directory, file, line);

    if (!option)
        doctor->report.is_out_of_memory = true;
    else if (is_own)
        finding_add_command(finding,
                            "sed -i 's/^[[:blank:]]*%s/#&/' %s/%s; gpgconf --kill gpg-agent",
                            option, directory, file);
    else
        finding_add_root_command(finding, "sed -i 's/^[[:blank:]]*%s/#&/' %s/%s", option, directory,
                                 file);
}

/*
 * Debugging options that put secrets into logs or files. gpg-agent reads them when it starts; gpg
 * is not run with them (gpg/debug-options.h).
 */
static void check_debugging(struct doctor *doctor, const char *home)
{
    static const char *const files[] = {"gpg.conf", "gpg-agent.conf"};
    const char *const directories[] = {home, SYSTEM_CONF};

    for (size_t i = 0; i < ARRAY_SIZE(files) * ARRAY_SIZE(directories); i++) {
        const char *directory = directories[i / ARRAY_SIZE(files)],
                   *file = files[i % ARRAY_SIZE(files)];
        CLEANUP_FREE char *text = read_conf(directory, file),
                          *line = text ? gpg_debug_find(text) : NULL;

        if (line)
            report_debugging(doctor, directory, file, line);
    }
}

/*
 * A file of gpg's that this user may not read: theirs with a mode that shuts them out, or another
 * user's.
 */
static void check_barrier(struct doctor *doctor, const char *home)
{
    char owner[24];
    struct gpg_barrier barrier;
    struct finding *finding;
    struct stat st;

    if (!gpg_access_find_barrier(home, &barrier))
        return;
    finding = report_add(&doctor->report, "gnupg-unreadable", FINDING_BAD,
                         barrier.error == EACCES
                             ? "gpg then does not find its keys, and only says \"No secret key\". "
                               "This often results from running gpg with sudo."
                             : "gpg then does not find its keys.",
                         "gpg cannot read %s: %s", barrier.path, strerror(barrier.error));
    if (barrier.error != EACCES || stat(barrier.path, &st) < 0)
        return;
    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (st.st_uid == geteuid())
        finding_add_command(finding, "chmod u+rX %s", barrier.path);
    else
        finding_add_root_command(finding, "chown -R %s %s", owner, home);
}

/*
 * gpg creates only ~/.gnupg, not a directory that GNUPGHOME names. It expands a "~" in the name.
 * Without a store nothing was encrypted, and setup creates both.
 */
static bool check_gnupg_home(struct doctor *doctor)
{
    const char *given = getenv("GNUPGHOME");
    struct stat st;

    if (!given || !*given || *given == '~' || doctor->proof.encrypt.result != PROOF_FAILED ||
        doctor->proof.encrypt.err.code == ENOENT)
        return true;
    if (stat(given, &st) == 0 || errno != ENOENT)
        return true;
    report_add(&doctor->report, "gnupg-home-missing", FINDING_BAD,
               "gpg looks for its keys there. Create it and import the key, or unset GNUPGHOME if "
               "the keys are in ~/.gnupg.",
               "GNUPGHOME is %s, which does not exist", given);
    return false;
}

/*
 * gpg may just have created its home directory, during the proof or an earlier call of doctor. The
 * encryption fails with ENOENT if there is no store, which would name a key.
 */
static bool check_key_exists(struct doctor *doctor, const char *home)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    int code = doctor->proof.encrypt.err.code;
    struct gpg_barrier barrier;
    struct finding *finding;
    struct error err;

    if (doctor->had_gnupg_home ? code != ENOENT : code == GPG_FAILURE_RECIPIENT)
        return true;
    if (gpg_access_find_barrier(home, &barrier) ||
        gpg_keys_find(doctor->gpg, NULL, false, &keys, &err) < 0 || keys.count > 0)
        return true;
    finding =
        report_add(&doctor->report, "no-key", FINDING_BAD,
                   "Passwords are encrypted to it, so docker login fails.", "there is no key yet");
    finding_add_command(finding, "docker-credential-pass setup");
    return false;
}

enum { KEYBOX_HEADER_SIZE = 32 };

/*
 * With use-keyboxd GnuPG 2.4 does not read pubring.kbx, where the keys are if the option was set
 * later.
 */
static void check_keyboxd(struct doctor *doctor, const struct gpg_home *home)
{
    CLEANUP_FREE char *option = doctor_get_gnupg_option(home, "common.conf", "use-keyboxd"),
                      *keybox = NULL;
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    struct finding *finding;
    struct error err;
    struct stat st;

    if (!option || asprintf(&keybox, "%s/pubring.kbx", home->path) < 0 || stat(keybox, &st) < 0 ||
        st.st_size <= KEYBOX_HEADER_SIZE ||
        doctor->proof.encrypt.err.code != GPG_FAILURE_RECIPIENT ||
        gpg_keys_find(doctor->gpg, NULL, false, &keys, &err) < 0 || keys.count > 0)
        return;
    finding = report_add(
        &doctor->report, "keyboxd-empty", FINDING_BAD,
        "gpg finds no key, so it encrypts and decrypts nothing. Without that option it reads the "
        "file again:",
        "%s/common.conf has use-keyboxd, keyboxd has no keys, and gpg does not read those in %s",
        home->path, keybox);
    finding_add_command(finding, "sed -i 's/^[[:blank:]]*use-keyboxd/#&/' %s/common.conf",
                        home->path);
}

const char *check_gpg(struct doctor *doctor)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    struct gpg_home home;
    struct finding *finding;
    struct error err;

    if (gpg_options_parse(getenv("PASSWORD_STORE_GPG_OPTS"), &options, &err) < 0) {
        finding = report_add(&doctor->report, "gpg-opts", FINDING_BAD,
                             "No password can be stored or read.", "%s", err.text);
        finding_add_command(finding, "unset PASSWORD_STORE_GPG_OPTS");
        return NULL;
    }
    if (!doctor->does_prompt)
        options.pinentry_mode = GPG_PINENTRY_ERROR;
    if (gpg_context_new(&options, &doctor->gpg, &err) < 0) {
        finding = report_add(&doctor->report, "gpg-missing", FINDING_BAD,
                             "It encrypts the passwords.", "%s", err.text);
        if (err.code == ENOENT)
            finding_add_root_command(finding, "apt-get install -y gnupg");
        return NULL;
    }
    if (!check_gnupg_home(doctor))
        return NULL;
    if (gpg_home_find(options.homedir, &home) < 0)
        return "gpg is there";
    if (!check_key_exists(doctor, home.path))
        return NULL;
    check_keyboxd(doctor, &home);
    check_barrier(doctor, home.path);
    check_gnupg_mode(doctor, home.path);
    check_debugging(doctor, home.path);
    return "gpg is there, and its home directory is in order";
}
