#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "registry/access/robots.h"

/* The command line of `registryd robot`. */
enum robot_task { ROBOT_CREATE, ROBOT_LIST, ROBOT_REVOKE };

struct robot_order {
    enum robot_task task;
    const char *name; /* NULL for ROBOT_LIST; all texts are borrowed from argv */
    const char *allows[ROBOT_ALLOWS_MAX];
    size_t allow_count;
    int64_t expires_s; /* seconds since 1970, or ROBOT_NEVER */
    bool is_quiet;     /* print only the password */
    const char *host;  /* NULL: http.host of the configuration */
    const char *file;  /* the robots file; NULL: the one in the configuration */
    const char *config; /* NULL: the file that serve reads */
};

enum { ROBOT_HELP = 1 };

/* 0, ROBOT_HELP, or negative. */
int robot_order_parse(int argc, char **argv, int64_t now_s, struct robot_order *ret,
                      struct error *err) MUST_USE;
