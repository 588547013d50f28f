#pragma once

#include "gpg/gpgme.h"

#include "gpg/context.h"

/* What gpg's status lines have told. */
struct gpg_seen {
    bool has_spoken;    /* there was one */
    bool has_encrypted; /* all of the input is encrypted */
    int prompts;        /* how often a pinentry came up */
};

/* What the other files of gpg/ share with context.c. */
struct gpg_context {
    gpgme_ctx_t handle;
    bool has_hidden_recipients;
    struct gpg_seen seen; /* in the last operation; watch.c sets it */
};

static inline void gpg_data_release(gpgme_data_t *data)
{
    if (*data)
        gpgme.data_release(*data);
}
