/* gpg itself, its home folder and its agent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gpg/agent.h"
#include "helper/doctor/checks.h"

bool doctor_fix_mode(const struct doctor *doctor, struct finding *finding, const char *path, unsigned mode)
{
    if (!finding)
        return false;
    finding->is_fixable = true;
    finding->is_fixed = doctor->does_fix && chmod(path, mode) == 0;
    return finding->is_fixed;
}

static void check_gnupg_home(struct doctor *doctor, const char *home)
{
    struct finding *finding;
    struct stat st;

    if (stat(home, &st) < 0)
        return; /* gpg makes it */
    if (st.st_uid != geteuid()) {
        finding = report_add(&doctor->report, "gnupg-home-owner", FINDING_BAD,
                             "gpg refuses keys of another user, or cannot read them; this comes from running it with sudo.",
                             "%s belongs to user %u, and this runs as user %u", home, (unsigned)st.st_uid,
                             (unsigned)geteuid());
        finding_add_command(finding, "sudo chown -R \"$(id -u)\" %s", home);
    } else if (st.st_mode & 0077) {
        finding = report_add(&doctor->report, "gnupg-home-mode", FINDING_WARNING,
                             "Others may look into gpg's folder, and gpg warns of it each time.", "%s has the mode %04o", home,
                             (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod 700 %s", home);
        doctor_fix_mode(doctor, finding, home, 0700);
    }
}

const char *check_gpg(struct doctor *doctor)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    CLEANUP_FREE char *home = NULL;
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
        finding_add_command(finding, "sudo apt-get install gnupg");
        return NULL;
    }
    if (gpg_find_home(&home, &err) == 0)
        check_gnupg_home(doctor, home);
    return "gpg is there, and its home folder is in order";
}

const char *check_agent(struct doctor *doctor)
{
    static const char nobody[] = "0000000000000000000000000000000000000000";
    const size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    CLEANUP_FREE char *socket = NULL;
    struct gpg_agent_key key;
    struct finding *finding;
    struct error err;

    if (!doctor->gpg)
        return NULL;
    if (gpg_agent_find_socket(&socket, &err) == 0 && strlen(socket) > most) {
        finding = report_add(&doctor->report, "socket-path-too-long", FINDING_BAD,
                             "gpg cannot reach its agent, and says only \"No secret key\".",
                             "the path of gpg-agent's socket has %zu bytes, and sockets take %zu: %s", strlen(socket), most,
                             socket);
        finding_add_command(finding, "export GNUPGHOME=$HOME/.gnupg");
        return NULL;
    }
    if (gpg_agent_find_key(nobody, &key, &err) < 0) {
        finding = report_add(&doctor->report, "agent-unreachable", FINDING_BAD,
                             "Without its agent gpg decrypts nothing, and says only \"No secret key\".", "%s", err.text);
        finding_add_command(finding, "gpgconf --kill gpg-agent; gpg-connect-agent /bye");
    }
    return "gpg-agent answers";
}
