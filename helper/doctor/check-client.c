/* Docker's configuration file: what it says, and whether docker could write it. */
#include <errno.h>
#include <string.h>

#include "helper/client/docker.h"
#include "helper/client/save-check.h"
#include "helper/doctor/checks.h"

#define STORE "pass"

/* --- which store it names ------------------------------------------------------------------ */

static bool has_pass_helper(const struct client_config *config)
{
    const char *host;

    for (size_t i = 0; (host = client_config_get_helper_host(config, i)); i++) {
        const char *helper = client_config_get_helper(config, host);

        if (helper && strcmp(helper, STORE) == 0)
            return true;
    }
    return false;
}

static void report_other_store(struct doctor *doctor, const struct client_config *config, const char *named)
{
    struct finding *finding = report_add(&doctor->report, "creds-store-other", FINDING_BAD,
                                         "Docker asks that program for passwords, not this one.",
                                         "%s keeps passwords with docker-credential-%s", config->path, named);

    finding_add_command(finding, "docker-credential-pass setup --force");
}

static void report_missing_store(struct doctor *doctor, struct client_config *config)
{
    struct finding *finding = report_add(&doctor->report, "creds-store-missing", FINDING_BAD,
                                         "Docker writes passwords into that file, unencrypted.",
                                         "%s names no credential store", config->path);
    struct error err;

    finding_add_command(finding, "docker-credential-pass setup --yes");
    if (!finding)
        return;
    finding->is_fixable = true;
    finding->is_fixed = doctor->does_fix && client_config_set_store(config, STORE, &err) == 0 &&
                        client_config_save(config, &err) == 0;
}

/* True where docker's own choice leads to this program. */
static bool check_named_store(struct doctor *doctor, struct client_config *config)
{
    const char *named = client_config_get_store(config), *chosen = client_docker_get_default_store(config);

    if ((named && strcmp(named, STORE) == 0) || has_pass_helper(config))
        return false;
    if (chosen && strcmp(chosen, STORE) == 0)
        return true;
    if (named && *named)
        report_other_store(doctor, config, named);
    else
        report_missing_store(doctor, config);
    return false;
}

/* --- passwords in it ----------------------------------------------------------------------- */

static void check_plaintext(struct doctor *doctor, const struct client_config *config)
{
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    struct finding *finding;
    struct error err;

    if (client_config_list_logins(config, &logins, &err) < 0 || logins.count == 0)
        return;
    finding = report_add(&doctor->report, "plaintext-auths", FINDING_WARNING,
                         "Everyone who can read that file, or a backup of it, can read them. Docker never moves them itself.",
                         "%zu unencrypted %s in %s (the first is for %s)", logins.count,
                         logins.count == 1 ? "password is" : "passwords are", config->path, logins.items[0].host);
    finding_add_command(finding, "docker-credential-pass setup --yes");
    if (config->exists && config->stat.st_mode & 0077) {
        finding = report_add(&doctor->report, "config-readable-by-others", FINDING_WARNING,
                             "It holds passwords, and other users of the machine can read them.",
                             "%s has the mode %04o", config->path, (unsigned)config->stat.st_mode & 07777);
        finding_add_command(finding, "chmod 600 %s", config->path);
        doctor_fix_mode(doctor, finding, config->real_path, 0600);
    }
}

/* --- whether docker can write it ----------------------------------------------------------- */

/* A command is offered where the cause is certain: the directory has another owner, or a mode that shuts us out. */
static void add_directory_cure(struct finding *finding, const struct client_save_check *check)
{
    struct stat st;

    if (check->result != CLIENT_SAVE_CANNOT_CREATE || check->code != EACCES || stat(check->path, &st) < 0)
        return;
    if (st.st_uid == geteuid())
        finding_add_command(finding, "chmod u+rwx %s", check->path);
    else
        finding_add_command(finding, "sudo chown \"$(id -u)\" %s", check->path);
}

static void check_save(struct doctor *doctor, const struct client_config *config)
{
    CLEANUP(client_save_check_done) struct client_save_check check = {0};
    struct finding *finding;
    struct error err;

    if (client_save_check(config->path, CLIENT_SAVE_THROUGH_LINK, &check, &err) == 0 &&
        client_save_check_explain(&check, &err) == 0)
        return;
    finding = report_add(&doctor->report, "config-not-writable", FINDING_BAD,
                         "At a login docker writes that file anew, also when the password goes elsewhere.",
                         "docker cannot save its configuration: %s", err.text);
    if (finding && check.path)
        add_directory_cure(finding, &check);
}

static void report_unreadable(struct doctor *doctor, const char *path, const struct error *err)
{
    bool is_invalid = err->code == EBADMSG;
    struct finding *finding = report_add(&doctor->report, is_invalid ? "config-invalid" : "config-unreadable",
                                         FINDING_BAD, "Docker cannot read it either, so it knows no credential store.",
                                         "%s", err->text);

    if (is_invalid)
        finding_add_command(finding, "mv %s %s.bad && docker-credential-pass setup --yes", path, path);
    else
        finding_add_command(finding, "sudo chown \"$(id -u)\" %s && chmod 600 %s", path, path);
}

const char *check_docker(struct doctor *doctor)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP_FREE char *path = NULL;
    struct error err;
    bool is_own_choice;

    if (client_docker_find(&path, &err) < 0)
        return NULL; /* check_home reported the missing HOME */
    if (client_config_open(path, &config, &err) < 0) {
        report_unreadable(doctor, path, &err);
        return NULL;
    }
    is_own_choice = check_named_store(doctor, &config);
    check_plaintext(doctor, &config);
    check_save(doctor, &config);
    return is_own_choice ? "docker chooses this program by itself, because pass is on PATH"
                         : "docker keeps its passwords with this program";
}
