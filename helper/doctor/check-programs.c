/*
 * Programs beside this one: what `docker` on PATH is, podman, and the other credential helpers that
 * docker's file names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/process.h"
#include "gpg/patience.h"
#include "helper/client/docker.h"
#include "helper/client/name.h"
#include "helper/client/podman.h"
#include "helper/client/registries-conf.h"
#include "helper/doctor/checks.h"

#define HELPER "pass"

/* --- other helpers --------------------------------------------------------------------------- */

/*
 * Whether the helper does not work here. Without a display a keyring cannot ask for its password,
 * so `list` fails at once. With a display it is not tried, because it might open a window.
 */
static bool is_useless(const char *program)
{
    const char *const argv[] = {program, "list", NULL};
    char output[256];
    int status, r;

    if (getenv("DISPLAY") || getenv("WAYLAND_DISPLAY"))
        return false;
    r = process_run(argv, gpg_patience() < 10 ? gpg_patience() : 10, output, sizeof(output),
                    &status);
    /* for example a Windows program if WSL cannot run those */
    return r == 0 ? status != 0 : r != -ETIMEDOUT && r != -ENOMEM;
}

void doctor_report_other_helper(struct doctor *doctor, const struct client_config *config,
                                const char *name)
{
    CLEANUP_FREE char *program = NULL, *found = NULL;
    struct finding *finding;
    const char *fault = NULL;

    if (asprintf(&program, "docker-credential-%s", name) < 0) {
        program = NULL;
        doctor->report.is_out_of_memory = true;
        return;
    }
    if (process_find(program, &found) == -ENOENT)
        fault = "which is not on PATH";
    else if (is_useless(program))
        fault = "which fails here when it is asked for its logins";
    if (fault) {
        finding = report_add(&doctor->report, "creds-store-other", FINDING_BAD,
                             "Docker asks that program for passwords, so every login fails.",
                             "%s names %s, %s", config->path, program, fault);
        finding_add_command(finding, "docker-credential-pass setup --force");
        return;
    }
    finding = report_add(&doctor->report, "creds-store-other", FINDING_BAD,
                         "Docker asks that program for passwords, not this one. setup imports the "
                         "logins that it has.",
                         "%s keeps passwords with %s", config->path, program);
    finding_add_command(finding, "docker-credential-pass setup --from %s", name);
}

/* Docker compares the names in credHelpers with its own name of the server, byte for byte. */
static void check_helper_name(struct doctor *doctor, const struct client_config *config,
                              const char *key, const char *helper)
{
    CLEANUP_FREE char *wanted = client_name_for_docker(key);
    CLEANUP_FREE char *by_podman = client_name_asked_by_podman(key, false);

    if (!wanted || !by_podman) {
        doctor->report.is_out_of_memory = true;
        return;
    }
    if (client_name_is_asked_by_docker(key) ||
        (client_podman_is_installed() && strcmp(by_podman, key) == 0))
        return;
    report_add(&doctor->report, "cred-helper-name", FINDING_WARNING,
               "So docker does not use that helper for the server. Correct the name.",
               "credHelpers in %s names docker-credential-%s for %s, but docker asks for %s",
               config->path, helper, key, wanted);
}

/* Helpers of single registries. Logins to all others work, so these are only warnings. */
void doctor_check_helpers(struct doctor *doctor, const struct client_config *config)
{
    const char *host;

    for (size_t i = 0; (host = client_config_get_helper_host(config, i)); i++) {
        const char *name = client_config_get_helper(config, host);
        CLEANUP_FREE char *program = NULL, *found = NULL;

        if (!name || !*name || asprintf(&program, "docker-credential-%s", name) < 0) {
            program = NULL;
            continue;
        }
        check_helper_name(doctor, config, host, name);
        if (process_find(program, &found) == -ENOENT && strcmp(name, HELPER) != 0)
            report_add(&doctor->report, "cred-helper-missing", FINDING_WARNING,
                       "docker login to that registry fails. Install the program, or remove the "
                       "line from credHelpers.",
                       "%s names %s for %s, which is not on PATH", config->path, program, host);
    }
}

/* --- docker that is not docker --------------------------------------------------------------- */

static void check_snap(struct doctor *doctor)
{
    if (client_docker_is_snap())
        report_add(&doctor->report, "docker-snap", FINDING_BAD,
                   "A login with it does not use this program.", "%s", CLIENT_DOCKER_SNAP_TEXT);
}

static void check_link(struct doctor *doctor, const struct client_config *config)
{
    struct finding *finding;

    if (!client_docker_is_misled_by_link(config->path))
        return;
    finding = report_add(&doctor->report, "config-relative-link", FINDING_WARNING,
                         "Docker before version 28 looks for that target in the working directory "
                         "when it saves a login.",
                         "%s is a link with a relative target", config->path);
    finding_add_command(finding, "ln -sfn %s %s", config->real_path, config->path);
}

/* Only if podman uses this program: otherwise its passwords are unencrypted anyway. */
static void check_podman(struct doctor *doctor)
{
    CLEANUP(client_helpers_done) struct client_helpers helpers = {0};
    CLEANUP_FREE char *path = NULL;
    struct error err;

    if (!client_podman_is_installed() || !client_podman_writes_to_docker() ||
        client_docker_find(&path, &err) < 0 || client_helpers_read(NULL, &helpers, &err) < 0 ||
        !client_helpers_has(&helpers, HELPER))
        return;
    report_add(&doctor->report, "podman-docker-config", FINDING_WARNING,
               "From about version 5.4 on, podman login, buildah login and skopeo login then write "
               "the password into that "
               "file, unencrypted, whatever helpers are configured. Run them as: env -u "
               "DOCKER_CONFIG podman login HOST",
               "DOCKER_CONFIG is set, and podman uses this program (%s): it is %s", helpers.source,
               path);
}

void doctor_check_other_clients(struct doctor *doctor, const struct client_config *config)
{
    check_link(doctor, config);
    check_podman(doctor);
    check_snap(doctor);
}

const char *doctor_check_podman_alone(struct doctor *doctor)
{
    CLEANUP(client_helpers_done) struct client_helpers helpers = {0};
    bool is_docker = client_docker_is_podman();
    struct finding *finding;
    struct error err;

    if (!is_docker && !client_podman_is_installed())
        return NULL;
    if (client_helpers_read(NULL, &helpers, &err) == 0 &&
        client_helpers_is_first(&helpers, HELPER)) {
        check_podman(doctor);
        return is_docker ? "docker is podman here, which keeps its passwords with this program"
                         : "podman, buildah and skopeo keep their passwords with this program "
                           "(docker is not installed)";
    }
    if (!is_docker)
        return NULL;
    finding = report_add(&doctor->report, "docker-is-podman", FINDING_BAD,
                         "podman ignores credsStore, so docker login writes the password "
                         "unencrypted into podman's file.",
                         "docker on PATH is podman, which does not use this program");
    finding_add_command(finding, "docker-credential-pass setup --podman --yes");
    return "docker is podman here";
}
