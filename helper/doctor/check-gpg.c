/* gpg itself, its home directory and its agent. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/file.h"
#include "gpg/access.h"
#include "gpg/agent.h"
#include "gpg/home.h"
#include "helper/doctor/checks.h"

bool doctor_fix_mode(const struct doctor *doctor, struct finding *finding, const char *path, unsigned mode)
{
    if (!finding)
        return false;
    finding->is_fixable = true;
    finding->is_fixed = doctor->does_fix && chmod(path, mode) == 0;
    return finding->is_fixed;
}

/* --- the home directory -------------------------------------------------------------------- */

static void check_gnupg_mode(struct doctor *doctor, const char *home)
{
    struct finding *finding;
    struct stat st;

    if (stat(home, &st) < 0)
        return; /* gpg makes it */
    if (st.st_uid == geteuid() && st.st_mode & 0077) {
        finding = report_add(&doctor->report, "gnupg-home-mode", FINDING_WARNING,
                             "Other users may look into gpg's directory, and gpg warns of it each time.",
                             "%s has the mode %04o", home, (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod 700 %s", home);
        doctor_fix_mode(doctor, finding, home, 0700);
    }
}

/* A file of gpg's that this user may not read: theirs with a mode that shuts them out, or another user's. */
static void check_barrier(struct doctor *doctor, const char *home)
{
    char owner[24];
    struct gpg_barrier barrier;
    struct finding *finding;
    struct stat st;

    if (!gpg_access_find_barrier(home, &barrier))
        return;
    finding = report_add(&doctor->report, "gnupg-unreadable", FINDING_BAD,
                         "gpg does not find its keys then, and says no more than \"No secret key\"; this often comes from "
                         "running gpg with sudo.", "gpg cannot read %s: %s", barrier.path, strerror(barrier.error));
    if (barrier.error != EACCES || stat(barrier.path, &st) < 0)
        return;
    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (st.st_uid == geteuid())
        finding_add_command(finding, "chmod u+rX %s", barrier.path);
    else
        finding_add_root_command(finding, "chown -R %s %s", owner, home);
}

/* A home directory that gpg made during the proof is as good as none. */
static bool check_key_exists(struct doctor *doctor)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    struct finding *finding;
    struct error err;

    if (doctor->had_gnupg_home || doctor->proof.encrypt.err.code == GPG_FAILURE_RECIPIENT || gpg_keys_find(doctor->gpg, NULL, false, &keys, &err) < 0 || keys.count > 0)
        return true;
    finding = report_add(&doctor->report, "no-key", FINDING_BAD, "Passwords are encrypted to it, so docker login fails.",
                         "there is no key yet");
    finding_add_command(finding, "docker-credential-pass setup");
    return false;
}

const char *check_gpg(struct doctor *doctor)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    struct gpg_home home;
    struct finding *finding;
    struct error err;

    if (gpg_options_parse(getenv("PASSWORD_STORE_GPG_OPTS"), &options, &err) < 0) {
        finding = report_add(&doctor->report, "gpg-opts", FINDING_BAD, "No password can be stored or read.", "%s", err.text);
        finding_add_command(finding, "unset PASSWORD_STORE_GPG_OPTS");
        return NULL;
    }
    if (!doctor->does_prompt)
        options.pinentry_mode = GPG_PINENTRY_ERROR;
    if (gpg_context_new(&options, &doctor->gpg, &err) < 0) {
        finding = report_add(&doctor->report, "gpg-missing", FINDING_BAD, "Passwords are encrypted by it.", "%s", err.text);
        if (err.code == ENOENT)
            finding_add_root_command(finding, "apt-get install -y gnupg");
        return NULL;
    }
    if (gpg_home_find(options.homedir, &home) < 0)
        return "gpg is there";
    if (!check_key_exists(doctor))
        return NULL;
    check_barrier(doctor, home.path);
    check_gnupg_mode(doctor, home.path);
    return "gpg is there, and its home directory is in order";
}

/* --- the agent ----------------------------------------------------------------------------- */

static const char agent_why[] = "Without its agent gpg decrypts nothing, and says only \"No secret key\".";

/* Whether the home directory's gpg.conf has that option. */
static bool has_gpg_option(const struct gpg_home *home, const char *name)
{
    CLEANUP_FREE char *path = NULL, *text = NULL, *value = NULL;
    CLEANUP_CLOSE int fd = -1;
    size_t size;

    if (asprintf(&path, "%s/gpg.conf", home->path) < 0)
        return false;
    fd = file_open_regular(AT_FDCWD, path, NULL);
    if (fd < 0 || file_read_all(fd, 1 << 16, &text, &size) < 0)
        return false;
    value = gpg_agent_parse_option(text, name);
    return value != NULL;
}

/*
 * A lock of GnuPG's is a file with a process and a machine in it. It is stale for certain if the machine is this one and
 * the process is gone.
 */
static bool is_stale_lock(const char *path, char ret_holder[256])
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    CLEANUP_FREE char *text = NULL;
    struct utsname machine;
    size_t size;
    char host[200];
    int pid;

    if (fd < 0 || file_read_all(fd, 4096, &text, &size) < 0 || sscanf(text, " %d %199s", &pid, host) != 2 || uname(&machine) < 0)
        return false;
    snprintf(ret_holder, 256, "process %d on %s", pid, host);
    return strcmp(host, machine.nodename) == 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

/* A lock that keeps gpg from starting a daemon, or that a daemon holds no more. */
static bool check_locks(struct doctor *doctor, const struct gpg_home *home)
{
    static const char *const names[] = {
        "gnupg_spawn_agent_sentinel.lock", "gnupg_spawn_keyboxd_sentinel.lock", "public-keys.d/pubring.db.lock",
        "pubring.kbx.lock", "trustdb.gpg.lock",
    };
    bool is_found = false;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CLEANUP_FREE char *path = NULL;
        struct finding *finding;
        char holder[256] = "";
        bool is_stale;

        if (asprintf(&path, "%s/%s", home->path, names[i]) < 0 || access(path, F_OK) < 0)
            continue;
        is_stale = is_stale_lock(path, holder);
        finding = report_add(&doctor->report, "gnupg-lock", FINDING_BAD,
                             is_stale ? "gpg waits for it in vain; the process that made it has ended."
                                      : "gpg waits for it. If that machine is a container or a name that is no more, the lock "
                                        "is left over, and can be removed.",
                             "%s is held by %s", path, *holder ? holder : "somebody");
        if (is_stale)
            finding_add_command(finding, "rm %s", path);
        is_found = true;
    }
    return is_found;
}

/* Why gpg does not reach its agent, as far as that can be seen. */
static void explain_agent(struct doctor *doctor)
{
    const size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    CLEANUP_FREE char *socket = NULL;
    struct finding *finding;
    struct gpg_home home;
    const struct error *err = doctor->proof.decrypt.result == PROOF_FAILED ? &doctor->proof.decrypt.err : &doctor->entries.err;

    if (gpg_agent_find_socket(&socket, NULL) == 0 && strlen(socket) > most) {
        finding = report_add(&doctor->report, "socket-path-too-long", FINDING_BAD,
                             "gpg cannot reach its agent, and says only \"No secret key\".",
                             "the path of gpg-agent's socket has %zu bytes, and sockets take %zu: %s", strlen(socket), most,
                             socket);
        finding_add_command(finding, "export GNUPGHOME=$HOME/.gnupg");
        return;
    }
    if (gpg_home_find(NULL, &home) == 0 && has_gpg_option(&home, "no-autostart")) {
        finding = report_add(&doctor->report, "agent-not-started", FINDING_BAD, agent_why,
                             "no gpg-agent runs, and no-autostart in %s/gpg.conf keeps gpg from starting one", home.path);
        finding_add_command(finding, "gpgconf --launch gpg-agent");
        return;
    }
    if (gpg_home_find(NULL, &home) == 0 && check_locks(doctor, &home))
        return;
    finding = report_add(&doctor->report, "agent-unreachable", FINDING_BAD, agent_why, "%s", err->text);
    finding_add_command(finding, "gpgconf --kill gpg-agent; gpg-connect-agent /bye");
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
    if (doctor_get_decrypt_failure(doctor) == GPG_FAILURE_UNKNOWN && gpg_home_find(NULL, &home) == 0)
        check_locks(doctor, &home);
    if (doctor->proof.decrypt.result == PROOF_PASSED || doctor_is_locked(doctor))
        return "gpg-agent answers";
    return NULL;
}
