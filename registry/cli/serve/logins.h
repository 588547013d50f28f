#pragma once

#include "registry/access/access.h"
#include "registry/cli/serve/login-upkeep.h"
#include "registry/config/settings.h"
#include "registry/core/store.h"

/*
 * Everything that decides who may do what: the users, the rules, the robots, and the tokens of this
 * server or of another one. For the main thread. Initialize it with zeros.
 */
struct logins {
    const struct settings *settings; /* borrowed */
    struct store *store;             /* borrowed; NULL before logins_open_tokens() */
    struct access access;            /* its members are owned */
    struct login_upkeep upkeep;
};

/* Opens the files that the settings name. 0 or negative. */
int logins_open(struct logins *logins, const struct settings *settings, struct error *err) MUST_USE;

/* Opens the keys that sign tokens; they are in the storage. 0 or negative. */
int logins_open_tokens(struct logins *logins, struct store *store, struct error *err) MUST_USE;

/* Starts the thread that keeps what is in the storage up to date. 0 or negative. */
int logins_start(struct logins *logins, struct error *err) MUST_USE;

/*
 * Reads all files again, and has the thread read the keys. Logs failures; what was read before stays
 * in force.
 */
void logins_reload(struct logins *logins);

/* After the last request. Ends the thread and closes everything, also after a failure. */
void logins_close(struct logins *logins);
