#pragma once

#include <stdbool.h>

#include "common/error.h"

/* The command line of `registryd htpasswd`. */
struct htpasswd_order {
    enum {
        HTPASSWD_CHANGE,
        HTPASSWD_CREATE,
        HTPASSWD_PRINT,
        HTPASSWD_DELETE,
        HTPASSWD_VERIFY
    } task;
    bool is_from_input; /* -i */
    unsigned cost;
    const char *file; /* like user and password borrowed from argv; NULL for HTPASSWD_PRINT */
    const char *user;
    char *password; /* NULL: ask for it, or read it from standard input */
};

/* 0, or -EINVAL. Uses getopt(): on the main thread. */
int htpasswd_order_parse(int argc, char **argv, struct htpasswd_order *ret,
                         struct error *err) MUST_USE;
