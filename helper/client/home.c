#include "helper/client/home.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

const char *client_get_home(void)
{
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (home && *home)
        return home;
    user = getpwuid(getuid());
    return user && user->pw_dir && *user->pw_dir ? user->pw_dir : NULL;
}

int client_find_home(const char *program, const char **ret, struct error *err)
{
    const char *home = client_get_home();

    if (!home)
        return error_set(err, ENOENT,
                         "HOME is unset, and the system has no home directory for this user, so "
                         "the directory of %s's configuration files is unknown",
                         program);
    *ret = home;
    return 0;
}
