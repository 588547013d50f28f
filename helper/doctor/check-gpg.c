/* gpg itself, its home directory and its agent. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/file.h"
#include "gpg/access.h"
#include "gpg/agent-conf.h"
#include "gpg/agent.h"
#include "gpg/debug-options.h"
#include "gpg/home.h"
#include "gpg/lock.h"
#include "gpg/query.h"
#include "helper/doctor/checks.h"

#define SYSTEM_CONF "/etc/gnupg"

/* Whether it is the user's own file or directory, and nothing else, such as a device. */
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

/*
 * The value of an option in one of the home directory's files; NULL if it is not set. Owned by the
 * caller.
 */
static char *get_option(const struct gpg_home *home, const char *file, const char *name)
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
        return; /* gpg makes it */
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && st.st_mode & 0077) {
        finding =
            report_add(&doctor->report, "gnupg-home-mode", FINDING_WARNING,
                       "Other users may look into gpg's directory, and gpg warns of it each time.",
                       "%s has the mode %04o", home, (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod 700 %s", home);
        doctor_fix_mode(doctor, finding, home, 0700);
    }
}

static void report_debugging(struct doctor *doctor, const char *directory, const char *file,
                             const char *line)
{
    CLEANUP_FREE char *option = strndup(line, strcspn(line, " \t"));
    bool is_own = strcmp(directory, SYSTEM_CONF) != 0;
    struct finding *finding = report_add(
        &doctor->report, "gnupg-debug", FINDING_WARNING,
        "GnuPG then writes session keys, or decrypted passwords, into its log, or into files "
        "in the working directory. Without that line it does not:",
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

/* Debugging options that put secrets into logs. gpg-agent reads them when it starts. */
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
    finding = report_add(
        &doctor->report, "gnupg-unreadable", FINDING_BAD,
        barrier.error == EACCES
            ? "gpg does not find its keys then, and says no more than \"No secret key\"; "
              "this often comes from running gpg with sudo."
            : "gpg does not find its keys then.",
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
    CLEANUP_FREE char *option = get_option(home, "common.conf", "use-keyboxd"), *keybox = NULL;
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
                             "Passwords are encrypted by it.", "%s", err.text);
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

/* --- the agent ------------------------------------------------------------------------------- */

static const char agent_why[] =
    "Without its agent gpg decrypts nothing, and says only \"No secret key\".";

static void report_lock(struct doctor *doctor, const struct gpg_lock *lock)
{
    static const char *const why[] = {
        [GPG_LOCK_HELD] = "gpg waits until that process releases it.",
        [GPG_LOCK_STALE] =
            "gpg waits for it in vain: that process has ended, and another one has its number now.",
        [GPG_LOCK_ELSEWHERE] = ("gpg waits for it. If that machine is a container that is gone, or "
                                "this machine's former name, "
                                "the file is left over, and you can remove it."),
    };
    struct finding *finding;

    doctor->report.explains = 1 << STEP_ENCRYPT | 1 << STEP_DECRYPT | 1 << STEP_ENTRIES;
    finding = report_add(&doctor->report, "gnupg-lock", FINDING_BAD, why[lock->state],
                         "%s is held by process %ld%s%s%s on %s", lock->path, (long)lock->pid,
                         *lock->program ? " (" : "", lock->program, *lock->program ? ")" : "",
                         lock->host);
    if (lock->state == GPG_LOCK_STALE)
        finding_add_command(finding, "rm %s", lock->path);
}

/*
 * Locks that keep gpg waiting. A running keyboxd holds its database's lock all the time, which
 * keeps nobody waiting.
 */
static bool check_locks(struct doctor *doctor, const struct gpg_home *home)
{
    bool is_timeout = doctor_get_decrypt_failure(doctor) == ETIMEDOUT ||
                      doctor->proof.encrypt.err.code == ETIMEDOUT;
    bool is_found = false;
    struct gpg_lock lock;
    unsigned at = 0;

    while (gpg_lock_next(home->path, &at, &lock)) {
        if (lock.state == GPG_LOCK_HELD && (!is_timeout || strcmp(lock.program, "keyboxd") == 0))
            continue;
        report_lock(doctor, &lock);
        is_found = true;
    }
    return is_found;
}

static bool check_socket_path(struct doctor *doctor)
{
    const size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    CLEANUP_FREE char *socket = NULL;
    struct finding *finding;

    if (gpg_agent_find_socket(&socket, NULL) < 0 || strlen(socket) <= most)
        return true;
    finding = report_add(
        &doctor->report, "socket-path-too-long", FINDING_BAD,
        "gpg cannot reach its agent, and says only \"No secret key\".",
        "the path of gpg-agent's socket has %zu bytes, and a socket's path may have %zu: %s",
        strlen(socket), most, socket);
    finding_add_command(finding, "export GNUPGHOME=$HOME/.gnupg");
    return false;
}

/* Whether gpg can start the program that its configuration, or its installation, names. */
static bool check_agent_program(struct doctor *doctor, const struct gpg_home *home)
{
    CLEANUP_FREE char *named = get_option(home, "gpg.conf", "agent-program"), *installed = NULL;
    struct finding *finding;
    struct error err;

    if (named && access(named, X_OK) < 0) {
        finding = report_add(&doctor->report, "agent-program-wrong", FINDING_BAD, agent_why,
                             "%s/gpg.conf names the agent-program %s, which cannot be run",
                             home->path, named);
        finding_add_command(finding, "sed -i 's/^[[:blank:]]*agent-program/#&/' %s/gpg.conf",
                            home->path);
        return false;
    }
    if (named || gpg_agent_find_program(&installed, &err) < 0 || access(installed, X_OK) == 0)
        return true;
    finding = report_add(&doctor->report, "agent-missing", FINDING_BAD, agent_why,
                         "gpg-agent is not installed (%s)", installed);
    finding_add_root_command(finding, "apt-get install -y gpg-agent");
    return false;
}

/*
 * GnuPG 2.4 does not start an agent whose gpg-agent.conf or common.conf has an unknown option; 2.2
 * does.
 */
static bool check_agent_conf(struct doctor *doctor, const struct gpg_home *home)
{
    CLEANUP_FREE char *named = get_option(home, "gpg.conf", "agent-program"), *installed = NULL;
    char words[GPG_WORDS_SIZE];
    struct error err;

    if ((!named && gpg_agent_find_program(&installed, &err) < 0) ||
        gpg_agent_accepts_conf(named ? named : installed, words))
        return true;
    report_add(&doctor->report, "agent-conf-invalid", FINDING_BAD, agent_why,
               "gpg-agent does not start, because it refuses its configuration; it says: %s",
               words);
    return false;
}

/*
 * Why gpg does not reach its agent, as far as that can be seen. A command is shown only if it is
 * certain to help.
 */
static void explain_agent(struct doctor *doctor)
{
    const struct proof_step *decrypt = &doctor->proof.decrypt;
    CLEANUP_FREE char *no_autostart = NULL;
    struct finding *finding;
    struct gpg_home home;

    if (!check_socket_path(doctor))
        return;
    if (gpg_home_find(NULL, &home) == 0) {
        no_autostart = get_option(&home, "gpg.conf", "no-autostart");
        if (no_autostart) {
            finding = report_add(
                &doctor->report, "agent-not-started", FINDING_BAD, agent_why,
                "no gpg-agent runs, and no-autostart in %s/gpg.conf keeps gpg from starting one",
                home.path);
            finding_add_command(finding, "gpgconf --launch gpg-agent");
            return;
        }
        if (!check_agent_program(doctor, &home) || !check_agent_conf(doctor, &home) ||
            check_locks(doctor, &home))
            return;
    }
    report_add(&doctor->report, "agent-unreachable", FINDING_BAD, agent_why, "%s",
               decrypt->result == PROOF_FAILED ? decrypt->err.text : doctor->entries.err.text);
}

/*
 * An agent that is stopped, or waits for something that never comes, does not end by gpgconf --kill
 * either.
 */
static void check_hung_agent(struct doctor *doctor)
{
    CLEANUP_FREE char *socket = NULL;
    struct finding *finding;
    char number[24];
    pid_t pid;

    if (doctor_get_decrypt_failure(doctor) != ETIMEDOUT || gpg_agent_find_socket(&socket, NULL) < 0)
        return;
    pid = gpg_agent_find_hung(socket);
    if (pid <= 0)
        return;
    snprintf(number, sizeof(number), "%ld", (long)pid);
    finding = report_add(&doctor->report, "agent-hangs", FINDING_BAD,
                         "gpg waits for it. gpg starts another one as soon as it is gone.",
                         "gpg-agent (process %s) does not answer", number);
    finding_add_command(finding, "kill -KILL %s", number);
}

/*
 * Failures whose cause may be a lock: gpg waited until it was ended, or gave up by itself and named
 * no cause.
 */
static bool may_be_lock(const struct proof_step *step)
{
    return step->result == PROOF_FAILED &&
           (step->err.code == ETIMEDOUT || step->err.code == GPG_FAILURE_UNKNOWN);
}

const char *check_agent(struct doctor *doctor)
{
    struct gpg_home home;

    if (!doctor->gpg)
        return NULL;
    if (doctor_get_decrypt_failure(doctor) == GPG_FAILURE_NO_AGENT) {
        explain_agent(doctor);
        return NULL;
    }
    if ((may_be_lock(&doctor->proof.encrypt) || may_be_lock(&doctor->proof.decrypt) ||
         may_be_lock(&doctor->entries)) &&
        gpg_home_find(NULL, &home) == 0 && !check_locks(doctor, &home))
        check_hung_agent(doctor);
    if (doctor->proof.decrypt.result == PROOF_PASSED || doctor_is_locked(doctor))
        return "gpg-agent answers";
    return NULL;
}
