/* Docker's configuration file. */
#include <errno.h>
#include <string.h>

#include "helper/client/config.h"
#include "helper/doctor/checks.h"

#define STORE "pass"

static bool has_pass_helper(const struct client_config *config)
{
    const struct json *helpers = json_find(config->json, "credHelpers");

    for (const struct json *one = helpers ? json_get_first(helpers) : NULL; one; one = json_get_next(one)) {
        const char *name = json_get_text(one);

        if (name && strcmp(name, STORE) == 0)
            return true;
    }
    return false;
}

static void check_named_store(struct doctor *doctor, struct client_config *config)
{
    const char *named = client_config_get_store(config);
    struct finding *finding;
    struct error err;

    if ((named && strcmp(named, STORE) == 0) || has_pass_helper(config))
        return;
    if (named && *named) {
        finding = report_add(&doctor->report, "creds-store-other", FINDING_BAD,
                             "Docker asks that program for passwords, and not this one.",
                             "%s keeps passwords with docker-credential-%s", config->path, named);
        finding_add_command(finding, "docker-credential-pass setup --force");
        return;
    }
    finding = report_add(&doctor->report, "creds-store-missing", FINDING_BAD,
                         "Docker writes passwords into that file, unencrypted.", "%s names no credential store",
                         config->path);
    finding_add_command(finding, "docker-credential-pass setup --yes");
    if (!finding)
        return;
    finding->is_fixable = true;
    finding->is_fixed = doctor->does_fix && client_config_set_store(config, STORE, &err) == 0 &&
                        client_config_save(config, &err) == 0;
}

static void check_plaintext(struct doctor *doctor, const struct client_config *config)
{
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    struct finding *finding;
    struct error err;

    if (client_config_list_logins(config, &logins, &err) < 0 || logins.count == 0)
        return;
    finding = report_add(&doctor->report, "plaintext-auths", FINDING_WARNING,
                         "Whoever reads that file, or a backup of it, has them; docker never moves them itself.",
                         "%zu %s unencrypted in %s (the first for %s)", logins.count,
                         logins.count == 1 ? "password stands" : "passwords stand", config->path, logins.items[0].host);
    finding_add_command(finding, "docker-credential-pass setup --yes");
    if (config->exists && config->stat.st_mode & 0077) {
        finding = report_add(&doctor->report, "config-readable-by-others", FINDING_WARNING,
                             "Passwords stand in it, and other users of the machine can read them.",
                             "%s has the mode %04o", config->path, (unsigned)config->stat.st_mode & 07777);
        finding_add_command(finding, "chmod 600 %s", config->path);
        doctor_fix_mode(doctor, finding, config->real_path, 0600);
    }
}

const char *check_docker(struct doctor *doctor)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP_FREE char *path = NULL;
    struct finding *finding;
    struct error err;

    if (client_config_find_docker(&path, &err) < 0)
        return NULL; /* HOME is missing, which was said */
    if (client_config_open(path, &config, &err) < 0) {
        bool is_invalid = err.code == EBADMSG;

        finding = report_add(&doctor->report, is_invalid ? "config-invalid" : "config-unreadable", FINDING_BAD,
                             "Docker cannot read it either, and knows of no credential store.", "%s", err.text);
        if (is_invalid)
            finding_add_command(finding, "mv %s %s.bad && docker-credential-pass setup --yes", path, path);
        else
            finding_add_command(finding, "sudo chown \"$(id -u)\" %s && chmod 600 %s", path, path);
        return NULL;
    }
    check_named_store(doctor, &config);
    check_plaintext(doctor, &config);
    return "docker keeps its passwords with this program";
}
