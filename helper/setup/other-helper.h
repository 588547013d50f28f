#pragma once

#include "common/error.h"
#include "helper/credential.h"

/*
 * Another credential helper, docker-credential-NAME, as docker runs it. Its output is limited, its
 * stderr is discarded, and a helper that hangs is killed.
 */
enum { OTHER_HELPER_NOT_FOUND = 1 };

/* The servers that it has logins for. */
struct other_servers {
    char **names;
    size_t count;
};

/* Its `list`. *ret is owned by the caller (other_servers_done). 0 or negative. */
int other_helper_list(const char *helper, struct other_servers *ret, struct error *err) MUST_USE;
void other_servers_done(struct other_servers *servers);

/* Its `get`, for credential->server_url. 0, OTHER_HELPER_NOT_FOUND, or negative. */
int other_helper_get(const char *helper, struct credential *credential, struct error *err) MUST_USE;

/* Its `erase`. 0 or negative. */
int other_helper_erase(const char *helper, const char *server, struct error *err) MUST_USE;
