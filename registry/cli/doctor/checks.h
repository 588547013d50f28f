#pragma once

#include <stdint.h>

#include "registry/cli/doctor/report.h"
#include "registry/config/settings.h"

/* What the checks look at, and where they put what they find. */
struct examination {
    const struct settings *settings;
    const char *configuration; /* the file; NULL: only variables */
    int64_t now_s;
    bool cannot_listen; /* by check_port() */
    struct report report;
};

/* Each runs as the user that the server would be, except for check_port(), which comes first, with
 * the caller's rights. */
void check_port(
    struct examination *examination); /* whether the server can listen, or somebody does */
void check_users(struct examination *examination);       /* htpasswd, access file, robots */
void check_certificate(struct examination *examination); /* http.tls */
void check_storage(
    struct examination *examination); /* its directory: rights, space, owners, times */
void check_server(struct examination *examination); /* what answers at http.addr and at http.host */

/* Whether only programs on this machine can connect to http.addr. */
bool address_is_local(const struct settings_http *http);
