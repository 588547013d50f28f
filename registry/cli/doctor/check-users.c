/* Checks the files of users, rules and robots by reading them as the server does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/access/htpasswd.h"
#include "registry/access/robots.h"
#include "registry/access/rules.h"
#include "registry/access/watched-file.h"
#include "registry/cli/doctor/checks.h"

enum { SLOW_COST = 13 };

/* Warns if the modes of a file with users let every user of the machine write or read it. */
static void check_rights(struct report *report, const char *path,
                         const struct file_content *content, bool has_hashes)
{
    if (content->is_open) {
        report_add(report, "file-open", FINDING_BAD,
                   "Any user of this machine can grant themselves all rights.",
                   "every user of this machine can write to %s", path);
        report_set_command(report, "chmod o-w %s", path);
    }
    if (content->is_public && has_hashes) {
        report_add(
            report, "users-public", FINDING_WARNING,
            "Anyone who has the hashes can guess passwords on another machine, without a limit.",
            "every user of this machine can read %s", path);
        report_set_command(report, "chmod o-rwx %s", path);
    }
}

/* Reads a file; reports a failure. */
static bool read_file(struct report *report, const char *path, const char *why,
                      struct file_content *ret)
{
    struct error err;

    if (watched_file_read(path, ret, &err) == 0)
        return true;
    report_add(report, "file-unreadable", FINDING_BAD, why, "%s", err.text);
    return false;
}

static void check_hashes(struct report *report, const char *path, const struct htpasswd *users)
{
    const struct htpasswd_flaws *flaws = htpasswd_get_flaws(users);

    for (size_t i = 0; i < flaws->count && i < HTPASSWD_FLAWS_MAX; i++)
        report_add(report, "users-line", FINDING_WARNING, "The user in that line cannot log in.",
                   "%s line %zu: %s", path, flaws->first[i].line,
                   htpasswd_flaw_text(flaws->first[i].kind));
    if (htpasswd_count(users) == 0) {
        report_add(report, "users-none", FINDING_BAD, "Nobody can log in.", "%s has no users",
                   path);
        report_set_command(report, "registryd htpasswd %s NAME", path);
    }
    if (htpasswd_highest_cost(users) >= SLOW_COST)
        report_add(report, "users-slow", FINDING_WARNING,
                   "The first request after a login and each wrong password take that much "
                   "processor time.",
                   "%s has hashes of cost %u: one check takes seconds", path,
                   htpasswd_highest_cost(users));
}

static void check_htpasswd(struct report *report, const char *path)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    CLEANUP(htpasswd_unrefp) struct htpasswd *users = NULL;

    if (access(path, F_OK) < 0 && errno == ENOENT) {
        report_add(report, "users-missing", FINDING_BAD,
                   "The server does not start without the file.",
                   "%s, the file in auth.htpasswd.path, does not exist", path);
        report_set_command(report, "registryd htpasswd -c %s NAME", path);
        return;
    }
    if (!read_file(report, path, "The server cannot read its users, so it does not start.",
                   &content))
        return;
    check_rights(report, path, &content, true);
    if (htpasswd_parse(content.text, content.size, &users) < 0) {
        report->is_out_of_memory = true;
        return;
    }
    content.text = NULL; /* now owned by the table */
    check_hashes(report, path, users);
}

static void check_rules(struct report *report, const char *path)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    struct error err;

    if (!read_file(report, path, "The server cannot read its rules, so it does not start.",
                   &content))
        return;
    check_rights(report, path, &content, false);
    if (rules_parse(path, content.text, content.size, &rules, &err) < 0)
        report_add(report, "access-line", FINDING_BAD,
                   "A running server continues with the previous rules; a server that is started "
                   "now fails.",
                   "%s", err.text);
}

/* The file is created by `registryd robot create`. */
static void check_robots(struct report *report, const char *path)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    CLEANUP(robots_unrefp) struct robots *robots = NULL;
    struct error err;

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return;
    if (!read_file(report, path, "Robots cannot log in.", &content))
        return;
    check_rights(report, path, &content, true);
    if (robots_parse(path, content.text, content.size, &robots, &err) < 0)
        report_add(report, "robots-line", FINDING_BAD, "Robots cannot log in.", "%s", err.text);
}

void check_users(struct examination *examination)
{
    const struct settings *settings = examination->settings;
    const struct settings_auth *auth = &settings->auth;

    if (!auth->is_htpasswd && !settings->token.is_enabled && !address_is_local(&settings->http))
        report_add(&examination->report, "no-authentication", FINDING_BAD,
                   "Anyone who can connect can read and replace all images.",
                   "the configuration has neither auth.htpasswd nor auth.token");
    if (!auth->is_htpasswd)
        return;
    check_htpasswd(&examination->report, auth->path);
    if (auth->access)
        check_rules(&examination->report, auth->access);
    if (auth->robots)
        check_robots(&examination->report, auth->robots);
}
