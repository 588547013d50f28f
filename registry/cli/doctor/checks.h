#pragma once

#include <stdint.h>

#include "registry/cli/doctor/report.h"
#include "registry/config/settings.h"

/* The input of the checks, and the report that they add findings to. */
struct examination {
    const struct settings *settings;
    const char *configuration; /* the file; NULL: only environment variables */
    int64_t now_s;
    bool cannot_listen; /* set by check_port() */
    bool is_port_free;  /* so no server with this configuration runs; set by check_port() */
    struct report report;
};

/*
 * check_port() runs first, with the caller's rights, and checks whether the server can listen or
 * already does. All other checks run as the server's user.
 */
void check_port(struct examination *examination);
void check_users(struct examination *examination);       /* htpasswd, access file, robots */
void check_certificate(struct examination *examination); /* http.tls */
void check_storage(
    struct examination *examination); /* rights, free space, owners and times of files */
void check_cache(struct examination *examination);  /* storage.cache */
void check_server(struct examination *examination); /* the answers at http.addr and http.host */

/* Whether the storage's file system is mounted, if /etc/fstab has it. */
void check_mount(struct examination *examination, const char *root);

/* Whether only programs on this machine can connect to http.addr. */
bool address_is_local(const struct settings_http *http);
