/*
 * Docker's configuration file: which store it names, the passwords in it, and whether docker could
 * write it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/client/docker.h"
#include "helper/client/leftovers.h"
#include "helper/client/name.h"
#include "helper/client/save-check.h"
#include "helper/client/survey.h"
#include "helper/doctor/checks.h"

#define HELPER "pass"

/* --- which store it names -------------------------------------------------------------------- */

/* Whether credHelpers names this program under a name that docker asks for. */
static bool has_pass_helper(const struct client_config *config)
{
    const char *host;

    for (size_t i = 0; (host = client_config_get_helper_host(config, i)); i++) {
        const char *helper = client_config_get_helper(config, host);

        if (helper && strcmp(helper, HELPER) == 0 && client_name_is_asked_by_docker(host))
            return true;
    }
    return false;
}

/* Docker chooses docker-credential-secretservice if it is installed and pass is not. */
static void report_missing_creds_store(struct doctor *doctor, struct client_config *config,
                                       const char *chosen)
{
    struct finding *finding =
        chosen ? report_add(&doctor->report, "creds-store-missing", FINDING_BAD,
                            "Docker then chooses docker-credential-secretservice, which needs the "
                            "keyring of a desktop.",
                            "%s names no credential store", config->path)
               : report_add(&doctor->report, "creds-store-missing", FINDING_BAD,
                            "Docker writes passwords into that file, unencrypted.",
                            "%s names no credential store", config->path);
    struct error err;

    finding_add_command(finding, "docker-credential-pass setup --yes");
    if (!finding)
        return;
    finding->is_fixable = true;
    finding->is_fixed = doctor->does_fix &&
                        client_config_set_creds_store(config, HELPER, &err) == 0 &&
                        client_config_save(config, &err) == 0;
}

/* Where docker keeps its passwords. */
enum helper_choice {
    CHOICE_NAMED,   /* credsStore names this program */
    CHOICE_BY_HOST, /* only credHelpers does, for some registries */
    CHOICE_DEFAULT, /* docker chooses this program, because pass is on PATH */
    CHOICE_OTHER,   /* with another program or in the file; a finding says so */
};

static enum helper_choice check_creds_store(struct doctor *doctor, struct client_config *config)
{
    const char *named = client_config_get_creds_store(config),
               *chosen = client_docker_get_default_helper(config);

    if (named && strcmp(named, HELPER) == 0)
        return CHOICE_NAMED;
    if (chosen && strcmp(chosen, HELPER) == 0)
        return CHOICE_DEFAULT;
    if (has_pass_helper(config))
        return CHOICE_BY_HOST;
    if (named && *named)
        doctor_report_other_helper(doctor, config, named);
    else
        report_missing_creds_store(doctor, config, chosen);
    return CHOICE_OTHER;
}

/* Docker warns at every command, and uses none of the logins in such a file. */
static void check_types(struct doctor *doctor, const struct client_config *config)
{
    const char *name = client_config_find_wrong_member(config);

    if (name)
        report_add(&doctor->report, "config-member-wrong", FINDING_WARNING,
                   "Docker warns about it at every command, and ignores the logins in that file. "
                   "Correct it by hand.",
                   "\"%s\" in %s has another type than docker expects", name, config->path);
}

/* --- passwords in it ------------------------------------------------------------------------- */

/* The logins that stay in docker's file on purpose. */
struct known_logins {
    size_t count;
    char text[1024]; /* the first of them, and its reason */
};

static void report_plaintext(struct doctor *doctor, const char *path, size_t count,
                             const char *first)
{
    struct finding *finding = report_add(
        &doctor->report, "plaintext-auths", FINDING_WARNING,
        "Anyone who can read that file, or a backup of it, can read them. Docker never moves "
        "them itself.",
        "%zu unencrypted %s in %s (the first is for %s)", count,
        count == 1 ? "password is" : "passwords are", path, first);

    finding_add_command(finding, "docker-credential-pass setup --yes");
}

static void report_readable(struct doctor *doctor, const struct client_config *config)
{
    struct finding *finding =
        report_add(&doctor->report, "config-readable-by-others", FINDING_WARNING,
                   "It holds passwords, and other users of the machine can read them.",
                   "%s has the mode %04o", config->path, (unsigned)config->stat.st_mode & 07777);

    finding_add_command(finding, "chmod 600 %s", config->path);
    doctor_fix_mode(doctor, finding, config->real_path, 0600);
}

/* The logins of docker's files, and which of them setup would move. */
static void judge_logins(struct doctor *doctor, const struct client_survey *survey,
                         struct known_logins *ret_known)
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
            snprintf(ret_known->text, sizeof(ret_known->text), "the login for %s stays in %s: %s",
                     use->login->host, use->file->config.path, reason);
        }
    }
    if (first)
        report_plaintext(doctor, first->file->config.path, count, first->login->host);
}

static void check_plaintext(struct doctor *doctor, const struct client_config *config,
                            struct known_logins *ret_known)
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
    if (survey.count > 0 && config->exists && S_ISREG(config->stat.st_mode) &&
        config->stat.st_mode & 0077)
        report_readable(doctor, config);
}

static void check_leftovers(struct doctor *doctor, const struct client_config *config)
{
    CLEANUP(client_leftovers_done) struct client_leftovers leftovers = {0};
    struct finding *finding;
    struct error err;

    if (client_leftovers_find(config->real_path, &leftovers, &err) < 0 || leftovers.count == 0)
        return;
    finding = report_add(
        &doctor->report, "config-leftovers", FINDING_WARNING,
        "An interrupted login left it behind, with all passwords of the file. setup removes it if "
        "all of them are known; otherwise look at it, and remove it by hand.",
        "%zu temporary %s beside %s (the first is %s)", leftovers.count,
        leftovers.count == 1 ? "file is" : "files are", config->path, leftovers.paths[0]);
    finding_add_command(finding, "docker-credential-pass setup --yes");
}

/* --- whether docker can write it ------------------------------------------------------------- */

/*
 * A command is shown only if the cause is certain: the directory has another owner, or a mode that
 * excludes this user.
 */
static void add_directory_cure(struct finding *finding, const struct client_save_check *check)
{
    char owner[24];
    struct stat st;

    if (check->result != CLIENT_SAVE_CANNOT_CREATE || check->code != EACCES ||
        stat(check->path, &st) < 0)
        return;
    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (st.st_uid == geteuid())
        finding_add_command(finding, "chmod u+rwx %s", check->path);
    else
        finding_add_root_command(finding, "chown %s %s", owner, check->path);
}

/* Docker 28 and later replace a link that leads nowhere. */
static bool can_replace_link(const char *path)
{
    CLEANUP(client_save_check_done) struct client_save_check check = {0};
    struct error err;

    return client_save_is_dead_link(path) &&
           client_save_check(path, CLIENT_SAVE_OVER_LINK, &check, &err) == 0 &&
           check.result == CLIENT_SAVE_WORKS;
}

static void check_save(struct doctor *doctor, const struct client_config *config)
{
    CLEANUP(client_save_check_done) struct client_save_check check = {0};
    struct finding *finding;
    struct error err;

    if (client_save_check(config->path, CLIENT_SAVE_THROUGH_LINK, &check, &err) == 0 &&
        client_save_check_explain(&check, &err) == 0)
        return;
    if (can_replace_link(config->path)) {
        finding = report_add(
            &doctor->report, "config-dead-link", FINDING_WARNING,
            "Docker before version 28 cannot save a login then; newer versions replace the link.",
            "%s is a link that leads nowhere", config->path);
        finding_add_command(finding, "rm %s && docker-credential-pass setup --yes", config->path);
        return;
    }
    finding = report_add(
        &doctor->report, "config-not-writable", FINDING_BAD,
        "Docker replaces that file at each login, even if it stores the password elsewhere.",
        "docker cannot save its configuration: %s", err.text);
    if (finding && check.path)
        add_directory_cure(finding, &check);
}

/* Whether docker could replace the file with a new one, although it cannot read it. */
static bool can_replace(const char *path)
{
    CLEANUP(client_save_check_done) struct client_save_check check = {0};
    struct error err;

    if (can_replace_link(path))
        return true;
    return client_save_check(path, CLIENT_SAVE_THROUGH_LINK, &check, &err) == 0 &&
           (check.result == CLIENT_SAVE_WORKS || check.result == CLIENT_SAVE_IS_UNREADABLE);
}

/* DOCKER_CONFIG names a directory; people set it to the file in it. */
static bool add_directory_command(struct finding *finding)
{
    const char *given = getenv("DOCKER_CONFIG"), *slash = given ? strrchr(given, '/') : NULL;
    CLEANUP_FREE char *directory = NULL;
    struct stat st;

    if (!slash || slash == given || stat(given, &st) < 0 || !S_ISREG(st.st_mode) ||
        strcmp(slash, "/config.json") != 0)
        return false;
    directory = strndup(given, (size_t)(slash - given));
    if (directory)
        finding_add_command(finding, "export DOCKER_CONFIG=%s", directory);
    return true;
}

/*
 * Docker ignores a file that it cannot read, and replaces it at the next login. If pass is on PATH,
 * that login works, because docker then chooses this program; but the settings and the logins in
 * the file are lost. The commands keep the file.
 */
static void report_unreadable(struct doctor *doctor, const char *path, const struct error *err)
{
    const char *chosen = client_docker_get_default_helper(NULL);
    bool is_invalid = err->code == EBADMSG,
         works = chosen && strcmp(chosen, HELPER) == 0 && can_replace(path);
    struct finding *finding =
        report_add(&doctor->report, is_invalid ? "config-invalid" : "config-unreadable",
                   works ? FINDING_WARNING : FINDING_BAD,
                   works ? "Docker ignores that file and replaces it at the next login; its "
                           "settings and logins are then lost."
                         : "Docker cannot read it either, so it knows no credential store.",
                   "%s", err->text);
    char owner[24];
    struct stat st;

    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (add_directory_command(finding))
        return;
    if (is_invalid || client_save_is_dead_link(path) ||
        (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        finding_add_command(finding, "mv %s %s.bad && docker-credential-pass setup --yes", path,
                            path);
    else if (err->code == EACCES && stat(path, &st) == 0 && st.st_uid == geteuid())
        finding_add_command(finding, "chmod 600 %s", path);
    else if (err->code == EACCES && stat(path, &st) == 0)
        finding_add_root_command(finding, "chown %s %s", owner, path);
}

/*
 * Docker uses the first JSON object of the file and ignores the rest. Returns whether that object
 * leads to this program; if so, *ret is that object, and a warning is added.
 */
static bool accept_first_object(struct doctor *doctor, const char *path, const struct error *why,
                                struct client_config *ret)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    const char *named, *chosen;
    struct error err;

    if (why->code != EBADMSG || client_config_open_first_object(path, &config, &err) < 0)
        return false;
    named = client_config_get_creds_store(&config);
    chosen = client_docker_get_default_helper(&config);
    if (!(named && strcmp(named, HELPER) == 0) && !(chosen && strcmp(chosen, HELPER) == 0) &&
        !has_pass_helper(&config))
        return false;
    report_add(&doctor->report, "config-has-more", FINDING_WARNING,
               "At the next login docker writes only the object back. setup and podman cannot use "
               "the file.",
               "%s", why->text);
    *ret = config;
    config = (struct client_config){0};
    return true;
}

static const char *describe_choice(enum helper_choice choice)
{
    switch (choice) {
    case CHOICE_BY_HOST:
        return "docker keeps passwords with this program for the registries in credHelpers; it "
               "writes those of all others into "
               "its configuration file, unencrypted";
    case CHOICE_DEFAULT:
        return "docker chooses this program by itself, because pass is on PATH";
    case CHOICE_NAMED:
    case CHOICE_OTHER:
        break;
    }
    return "docker keeps its passwords with this program";
}

const char *check_docker(struct doctor *doctor)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP_FREE char *path = NULL;
    static struct known_logins known;
    enum helper_choice choice;
    struct error err;

    if (client_docker_find(&path, &err) < 0)
        return NULL; /* check_home reported the missing HOME */
    if (!client_docker_is_installed() || client_docker_is_podman()) {
        const char *podman = doctor_check_podman_alone(doctor);

        if (podman)
            return podman;
    }
    if (client_config_open(path, &config, &err) < 0 &&
        !accept_first_object(doctor, path, &err, &config)) {
        report_unreadable(doctor, path, &err);
        return NULL;
    }
    choice = check_creds_store(doctor, &config);
    known = (struct known_logins){0};
    check_types(doctor, &config);
    doctor_check_helpers(doctor, &config);
    check_plaintext(doctor, &config, &known);
    check_leftovers(doctor, &config);
    doctor_check_other_clients(doctor, &config);
    check_save(doctor, &config);
    return known.count > 0 ? known.text : describe_choice(choice);
}
