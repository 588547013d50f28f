/* Docker's configuration file: what it says, and whether docker could write it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/process.h"
#include "helper/client/docker.h"
#include "helper/client/leftovers.h"
#include "helper/client/podman.h"
#include "helper/client/save-check.h"
#include "helper/client/survey.h"
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
    CLEANUP_FREE char *program = NULL, *found = NULL;
    struct finding *finding;

    if (asprintf(&program, "docker-credential-%s", named) < 0) {
        program = NULL;
        doctor->report.is_out_of_memory = true;
        return;
    }
    if (process_find(program, &found) == -ENOENT) {
        finding = report_add(&doctor->report, "creds-store-other", FINDING_BAD,
                             "Docker asks that program for passwords, so every login fails.",
                             "%s names %s, which is not on PATH", config->path, program);
        finding_add_command(finding, "docker-credential-pass setup --force");
        return;
    }
    finding = report_add(&doctor->report, "creds-store-other", FINDING_BAD,
                         "Docker asks that program for passwords, not this one. setup imports the logins that it has.",
                         "%s keeps passwords with %s", config->path, program);
    finding_add_command(finding, "docker-credential-pass setup --from %s", named);
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

/* What check_docker() answers if it finds nothing wrong. */
struct known_logins {
    size_t count;      /* logins that stay in docker's file on purpose */
    char text[1024];   /* which is the first, and why */
};

static void report_plaintext(struct doctor *doctor, const char *path, size_t count, const char *first)
{
    struct finding *finding = report_add(&doctor->report, "plaintext-auths", FINDING_WARNING,
                                         "Anyone who can read that file, or a backup of it, can read them. Docker never moves "
                                         "them itself.",
                                         "%zu unencrypted %s in %s (the first is for %s)", count,
                                         count == 1 ? "password is" : "passwords are", path, first);

    finding_add_command(finding, "docker-credential-pass setup --yes");
}

static void report_readable(struct doctor *doctor, const struct client_config *config)
{
    struct finding *finding = report_add(&doctor->report, "config-readable-by-others", FINDING_WARNING,
                                         "It holds passwords, and other users of the machine can read them.",
                                         "%s has the mode %04o", config->path, (unsigned)config->stat.st_mode & 07777);

    finding_add_command(finding, "chmod 600 %s", config->path);
    doctor_fix_mode(doctor, finding, config->real_path, 0600);
}

/* The logins of docker's files, and which of them setup would move. */
static void judge_logins(struct doctor *doctor, const struct client_survey *survey, struct known_logins *ret_known)
{
    const struct client_use *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < survey->count; i++) {
        const struct client_use *use = &survey->uses[i];
        const char *reason = client_survey_explain(survey, use);

        if (!reason) {
            first = first ? first : use;
            count++;
        } else if (ret_known->count++ == 0) {
            snprintf(ret_known->text, sizeof(ret_known->text), "the login for %s stays in %s: %s", use->login->host,
                     use->file->config.path, reason);
        }
    }
    if (first)
        report_plaintext(doctor, first->file->config.path, count, first->login->host);
}

static void check_plaintext(struct doctor *doctor, const struct client_config *config, struct known_logins *ret_known)
{
    static char files[] = CLIENT_AUTH_FILES;
    char *names[] = {files, NULL};
    const struct client_helpers standard = {.names = names};
    CLEANUP(client_helpers_done) struct client_helpers in_force = {0};
    CLEANUP(client_survey_done) struct client_survey survey = {0};
    struct client_survey_options options = {.helpers = &standard};
    struct error err;

    if (client_helpers_read(NULL, &in_force, &err) == 0)
        options.helpers = &in_force;
    if (client_survey_make(&options, &survey, &err) < 0)
        return;
    judge_logins(doctor, &survey, ret_known);
    if (survey.count > 0 && config->exists && config->stat.st_mode & 0077)
        report_readable(doctor, config);
}

static void check_leftovers(struct doctor *doctor, const struct client_config *config)
{
    CLEANUP(client_leftovers_done) struct client_leftovers leftovers = {0};
    struct finding *finding;
    struct error err;

    if (client_leftovers_find(config->real_path, &leftovers, &err) < 0 || leftovers.count == 0)
        return;
    finding = report_add(&doctor->report, "config-leftovers", FINDING_WARNING,
                         "An interrupted login has left it, with every password that the file held. setup removes it if all "
                         "of them are known; else look at it, and remove it by hand.",
                         "%zu temporary %s beside %s (the first is %s)", leftovers.count,
                         leftovers.count == 1 ? "file is" : "files are", config->path, leftovers.paths[0]);
    finding_add_command(finding, "docker-credential-pass setup --yes");
}

/* --- clients that go their own way --------------------------------------------------------- */

static void check_snap(struct doctor *doctor)
{
    if (client_docker_is_snap())
        report_add(&doctor->report, "docker-snap", FINDING_BAD, "A login with it does not use this program.", "%s",
                   CLIENT_DOCKER_SNAP_TEXT);
}

static void check_link(struct doctor *doctor, const struct client_config *config)
{
    struct finding *finding;

    if (!client_docker_is_misled_by_link(config->path))
        return;
    finding = report_add(&doctor->report, "config-relative-link", FINDING_WARNING,
                         "Docker before version 28 looks for that target in the working directory when it saves a login.",
                         "%s is a link with a relative target", config->path);
    finding_add_command(finding, "ln -sfn %s %s", config->real_path, config->path);
}

/* Only where podman was told to use this program: otherwise its passwords are unencrypted anyway. */
static void check_podman(struct doctor *doctor, const struct client_config *config)
{
    CLEANUP(client_helpers_done) struct client_helpers helpers = {0};
    struct error err;

    if (!client_podman_is_installed() || !client_podman_writes_to_docker() ||
        client_helpers_read(NULL, &helpers, &err) < 0 || !client_helpers_has(&helpers, STORE))
        return;
    report_add(&doctor->report, "podman-docker-config", FINDING_WARNING,
               "From about version 5.4 on, podman login, buildah login and skopeo login then write the password into that "
               "file, unencrypted, whatever helpers are configured. Run them as: env -u DOCKER_CONFIG podman login HOST",
               "DOCKER_CONFIG is set, and podman uses this program (%s): it is %s", helpers.source, config->path);
}

/* --- whether docker can write it ----------------------------------------------------------- */

/* A command is offered where the cause is certain: the directory has another owner, or a mode that shuts us out. */
static void add_directory_cure(struct finding *finding, const struct client_save_check *check)
{
    char owner[24];
    struct stat st;

    if (check->result != CLIENT_SAVE_CANNOT_CREATE || check->code != EACCES || stat(check->path, &st) < 0)
        return;
    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (st.st_uid == geteuid())
        finding_add_command(finding, "chmod u+rwx %s", check->path);
    else
        finding_add_root_command(finding, "chown %s %s", owner, check->path);
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

/* A text that is no JSON, or something other than a file, is kept beside the new file. */
static void report_unreadable(struct doctor *doctor, const char *path, const struct error *err)
{
    bool is_invalid = err->code == EBADMSG;
    struct finding *finding = report_add(&doctor->report, is_invalid ? "config-invalid" : "config-unreadable",
                                         FINDING_BAD, "Docker cannot read it either, so it knows no credential store.",
                                         "%s", err->text);
    char owner[24];
    struct stat st;

    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (is_invalid || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        finding_add_command(finding, "mv %s %s.bad && docker-credential-pass setup --yes", path, path);
    else if (err->code == EACCES && stat(path, &st) == 0 && st.st_uid == geteuid())
        finding_add_command(finding, "chmod 600 %s", path);
    else if (err->code == EACCES && stat(path, &st) == 0)
        finding_add_root_command(finding, "chown %s %s", owner, path);
}

const char *check_docker(struct doctor *doctor)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP_FREE char *path = NULL;
    static struct known_logins known;
    struct error err;
    bool is_own_choice;

    if (client_docker_find(&path, &err) < 0)
        return NULL; /* check_home reported the missing HOME */
    if (client_config_open(path, &config, &err) < 0) {
        report_unreadable(doctor, path, &err);
        return NULL;
    }
    is_own_choice = check_named_store(doctor, &config);
    known = (struct known_logins){0};
    check_plaintext(doctor, &config, &known);
    check_leftovers(doctor, &config);
    check_link(doctor, &config);
    check_podman(doctor, &config);
    check_snap(doctor);
    check_save(doctor, &config);
    if (known.count > 0)
        return known.text;
    return is_own_choice ? "docker chooses this program by itself, because pass is on PATH"
                         : "docker keeps its passwords with this program";
}
