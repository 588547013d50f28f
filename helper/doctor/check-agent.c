/* gpg-agent: its program, its configuration, its socket, and the locks that keep gpg waiting. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "gpg/agent-conf.h"
#include "gpg/agent.h"
#include "gpg/home.h"
#include "gpg/lock.h"
#include "gpg/query.h"
#include "helper/doctor/checks.h"

static const char agent_why[] =
    "Without its agent gpg decrypts nothing, and says only \"No secret key\".";

static void report_lock(struct doctor *doctor, const struct gpg_lock *lock)
{
    static const char *const why[] = {
        [GPG_LOCK_HELD] = "gpg waits until that process releases it.",
        [GPG_LOCK_STALE] = "gpg waits for it without end: that process has ended, and another one "
                           "has its process id now.",
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
 * Reports locks that keep gpg waiting. A running keyboxd always holds its database's lock; nothing
 * waits for that.
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
    CLEANUP_FREE char *named = doctor_get_gnupg_option(home, "gpg.conf", "agent-program"),
                      *installed = NULL;
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
    CLEANUP_FREE char *named = doctor_get_gnupg_option(home, "gpg.conf", "agent-program"),
                      *installed = NULL;
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
 * Reports why gpg does not reach its agent, if the cause can be established. A command is shown
 * only if it is certain to help.
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
        no_autostart = doctor_get_gnupg_option(&home, "gpg.conf", "no-autostart");
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

/* gpgconf --kill does not end an agent that is stopped or blocked. */
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
                         "gpg waits for it. If it is ended, gpg starts another one.",
                         "gpg-agent (process %s) does not answer", number);
    finding_add_command(finding, "kill -KILL %s", number);
}

/*
 * Failures whose cause may be a lock: gpg was ended after the timeout, or gave up without naming a
 * cause.
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
