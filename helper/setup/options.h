#pragma once

#include <stdbool.h>

#include "common/error.h"

/* The command line of `setup`. Texts are borrowed from argv; NULL if they are not given. */
struct setup_options {
    const char *key;  /* the key to encrypt to, in any form that gpg takes */
    const char *name; /* of a new key */
    const char *email;
    const char *host; /* one registry instead of all */
    const char *from; /* another helper whose logins are imported */
    bool has_no_passphrase;
    bool is_subfolder; /* only docker's credentials get the key */
    bool is_podman;    /* podman, buildah and skopeo too */
    bool is_erase;     /* imported logins are removed from the other helper */
    bool is_forced;    /* another credsStore is replaced */
    bool is_yes;       /* nothing is asked */
    bool is_dry_run;
};

enum { SETUP_HELP = 1 };

/* 0, SETUP_HELP if only the help is wanted, or negative if the command line is invalid. */
int setup_options_parse(int argc, char **argv, struct setup_options *ret,
                        struct error *err) MUST_USE;

extern const char setup_help[];
