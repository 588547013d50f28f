#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

enum { INIT_HOSTS_MAX = 16 };

enum init_mode {
    INIT_CREATE,
    INIT_REQUEST, /* --csr: create; another authority signs the certificate */
    INIT_RENEW,   /* --renew: a new certificate in an existing directory */
};

/* The command line of `registryd init`; texts are borrowed from argv. */
struct init_options {
    const char *directory;
    /* names or addresses that clients use; output shows the first */
    const char *hosts[INIT_HOSTS_MAX];
    size_t host_count;
    const char *user;
    unsigned port;
    bool is_from_input; /* --password-stdin */
    enum init_mode mode;
};

enum { INIT_HELP = 1 };

/*
 * 0, INIT_HELP if the user asks for help, or negative: an unknown option, or options that exclude
 * each other.
 */
int init_options_parse(int argc, char **argv, struct init_options *ret, struct error *err) MUST_USE;
