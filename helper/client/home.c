#include "helper/client/home.h"

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
