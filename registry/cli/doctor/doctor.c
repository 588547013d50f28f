/* `registryd doctor` finds problems of a registry on this machine, and says how to fix them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "registry/cli/doctor/checks.h"
#include "registry/cli/flags.h"
#include "registry/cli/offline.h"
#include "registry/cli/verbs.h"
#include "registry/runtime/log.h"

struct order {
    bool is_json;
    const char *config; /* borrowed from argv; NULL: not given */
};

/* Settings that are ignored or not recommended, with the warnings that `serve` logs. */
static void check_warnings(struct examination *examination)
{
    const struct settings *settings = examination->settings;

    for (size_t i = 0; i < settings->warning_count; i++)
        report_add(&examination->report, "setting", FINDING_WARNING,
                   "The server logs this warning when it starts.", "%s", settings->warnings[i]);
}

/*
 * Takes on the server's identity, so that the following checks have its rights. Warnings about that
 * are not logged, because the checks report them in their own words.
 */
static bool become_server(struct examination *examination)
{
    const struct settings_storage *storage = &examination->settings->storage;
    struct error err;
    int r = 0;

    if (geteuid() == 0 && (storage->s3.is_enabled || access(storage->root_directory, F_OK) == 0)) {
        r = log_open(&(struct log_options){.level = LOG_LEVEL_ERROR}, &err);
        if (r == 0)
            r = offline_change_identity(examination->settings, &err);
        log_close();
    }
    if (r == 0)
        return true;
    report_add(&examination->report, "identity", FINDING_UNCHECKED,
               "Therefore the rights of the server could not be checked.", "%s", err.text);
    return false;
}

static void examine(struct examination *examination)
{
    check_warnings(examination);
    check_port(examination);
    if (become_server(examination)) {
        check_users(examination);
        check_certificate(examination);
        check_storage(examination);
        check_cache(examination);
    }
    check_server(examination);
}

static int load(const struct order *order, struct examination *examination, struct settings **ret)
{
    struct error err;
    int r = settings_load(examination->configuration, environ, ret, &err);

    if (r < 0)
        report_add(&examination->report, "configuration", FINDING_BAD, "The server does not start.",
                   "%s", err.text);
    else if (!examination->configuration && !order->config)
        report_add(&examination->report, "no-configuration", FINDING_WARNING,
                   "If the server has a configuration file, name it: registryd doctor FILE.",
                   "no configuration file was found; all settings have their defaults or come from "
                   "environment variables");
    return r;
}

static int run_doctor(int argc, char **argv)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct order order = {0};
    const struct flag flags[] = {{.name = "json", .letter = 'j', .is_set = &order.is_json}, {0}};
    struct examination examination = {.now_s = time(NULL)};
    struct error err = {0};
    int r = flags_parse(argv, flags, &order.config, &err), status;

    (void)argc;
    if (r == FLAGS_HELP)
        return verb_print_help(&verb_doctor);
    if (r == 0) {
        examination.configuration = settings_choose_path(order.config, environ);
        if (load(&order, &examination, &settings) == 0) {
            examination.settings = settings;
            examine(&examination);
        }
        r = order.is_json ? report_write_json(&examination.report, &err)
                          : report_print(&examination.report, &err);
    }
    if (r == 0 && fflush(stdout) != 0)
        r = error_set_errno(&err, errno, "cannot write to standard output");
    status = r < 0 ? verb_fail(&err) : report_exit_status(&examination.report);
    report_done(&examination.report);
    return status;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .function = run_doctor,
    .help = "Usage: registryd doctor [--json] [CONFIG]\n"
            "\n"
            "Checks the configuration, the files of users and rules, the certificate, the\n"
            "storage, its disk cache and their free space. Sends requests to the server at\n"
            "its own and at its public address (http.host), to find what a proxy changes.\n"
            "Says what is wrong, why it matters and, if it is certain, which command fixes\n"
            "it. Changes nothing.\n"
            "Run it as the user who starts the server.\n"
            "\n"
            "  -j, --json  print the findings as JSON\n"
            "  -h, --help  this text\n"
            "\n"
            "CONFIG is the server's configuration; without it, the file that serve reads.\n"
            "\n"
            "Example:\n"
            "  registryd doctor /srv/registry/config.yml\n"
            "\n"
            "Exit status: 0 if nothing is bad; 1 if something is, and for a wrong command\n"
            "line; 2 if something could not be checked.\n",
};
