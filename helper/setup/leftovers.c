#include "helper/setup/leftovers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper/client/name.h"
#include "helper/setup/compare.h"
#include "helper/terminal.h"

void setup_leftovers_done(struct setup_leftovers *leftovers)
{
    client_leftovers_done(&leftovers->files);
    free(leftovers->are_removed);
    *leftovers = (struct setup_leftovers){0};
}

int setup_leftovers_find(const struct setup_plan *plan, struct setup_leftovers *ret,
                         struct error *err)
{
    CLEANUP(setup_leftovers_done) struct setup_leftovers leftovers = {0};
    int r = client_leftovers_find(plan->survey.docker->config.real_path, &leftovers.files, err);

    if (r < 0)
        return r;
    leftovers.are_removed = calloc(leftovers.files.count + 1, sizeof(*leftovers.are_removed));
    if (!leftovers.are_removed)
        return error_set_oom(err);
    *ret = leftovers;
    leftovers = (struct setup_leftovers){0};
    return 0;
}

/* --- whether one can be removed -------------------------------------------------------------- */

static bool is_in_file(const struct client_file *file, const struct client_login *login)
{
    for (size_t i = 0; i < file->logins.count; i++)
        if (strcmp(file->logins.items[i].host, login->host) == 0 &&
            client_login_is_same(&file->logins.items[i], login))
            return true;
    return false;
}

/* Whether nothing is lost if a login, or a file with logins, is removed. */
enum { IS_UNKNOWN, IS_KNOWN };

/*
 * IS_KNOWN if the login is in the store or was in docker's file when setup began, else IS_UNKNOWN;
 * or negative.
 */
static int look_up_login(const struct setup_plan *plan, const struct client_login *login,
                         struct error *err)
{
    CLEANUP_FREE char *name = client_name_asked_by_docker(login->host);
    int r;

    if (!name)
        return error_set_oom(err);
    if (login->problem)
        return IS_UNKNOWN;
    if (is_in_file(plan->survey.docker, login))
        return IS_KNOWN;
    r = *name ? setup_compare(name, login, err) : STORE_HAS_NONE;
    if (r < 0)
        return r;
    return r == STORE_HAS_SAME ? IS_KNOWN : IS_UNKNOWN;
}

/* The same for all logins of a file. A truncated file cannot be parsed, so they are unknown. */
static int look_up_file(const struct setup_plan *plan, const char *path, struct error *err)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    struct error why;
    int r = client_config_open(path, &config, &why);

    if (r < 0)
        return r == -ENOMEM ? error_set_oom(err) : IS_UNKNOWN;
    r = client_config_list_logins(&config, &logins, err);
    if (r < 0)
        return r;
    r = IS_KNOWN;
    for (size_t i = 0; r == IS_KNOWN && i < logins.count; i++)
        r = look_up_login(plan, &logins.items[i], err);
    return r;
}

int setup_leftovers_remove(struct setup_leftovers *leftovers, const struct setup_plan *plan,
                           struct error *err)
{
    for (size_t i = 0; i < leftovers->files.count; i++) {
        int r = look_up_file(plan, leftovers->files.paths[i], err);

        if (r < 0)
            return r;
        leftovers->are_removed[i] = r == IS_KNOWN && unlink(leftovers->files.paths[i]) == 0;
    }
    return 0;
}

void setup_leftovers_tell(const struct setup_leftovers *leftovers, bool is_plan)
{
    for (size_t i = 0; i < leftovers->files.count; i++) {
        const char *path = leftovers->files.paths[i];

        if (is_plan)
            terminal_say(stdout, TERMINAL_WOULD,
                         "remove %s, which an interrupted login has left, if all its logins are "
                         "known",
                         path);
        else if (leftovers->are_removed[i])
            terminal_say(stdout, TERMINAL_DONE, "removed %s, which an interrupted login had left",
                         path);
        else
            terminal_say(stdout, TERMINAL_WARNING,
                         "%s, which an interrupted login has left, stays: it may hold a password "
                         "that exists nowhere else; look at it, and remove it by hand",
                         path);
    }
}
