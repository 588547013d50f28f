#pragma once

#include "common/error.h"

enum {
    GPG_QUERY_SIZE = 8192, /* bytes of output that are kept */
    /* how long a query may take, unless the user has set a shorter timeout */
    GPG_QUERY_SECONDS = 10,
};

/*
 * Runs one of GnuPG's programs. 0 with its output; negative if it cannot be run, fails or does not
 * end in time.
 */
int gpg_query(const char *const argv[], char ret_output[GPG_QUERY_SIZE],
              struct error *err) MUST_USE;

/*
 * gpg's home directory ($GNUPGHOME or ~/.gnupg) and its agent's socket, as `gpgconf --list-dirs`
 * prints them; owned by the caller, free with free(). 0 or negative.
 */
int gpg_find_home(char **ret_path, struct error *err) MUST_USE;
int gpg_agent_find_socket(char **ret_path, struct error *err) MUST_USE;

/*
 * The path of one of GnuPG's programs ("gpg-agent", "pinentry"), as `gpgconf --list-components`
 * prints it. The program may be missing. Owned by the caller, free with free(). 0 or negative.
 */
int gpg_find_component(const char *name, char **ret_path, struct error *err) MUST_USE;
