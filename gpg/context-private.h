#pragma once

#include <gpgme.h>

#include "gpg/context.h"

/* What the other files of gpg/ share with context.c. */
struct gpg_context {
    gpgme_ctx_t handle;
    bool has_hidden_recipients;
    struct {            /* of the last operation; watch.c sets it */
        bool has_spoken;    /* gpg wrote a status line */
        bool has_encrypted; /* one that all of its input is encrypted */
        int prompts;
    } seen;
};

static inline void gpg_data_release(gpgme_data_t *data)
{
    if (*data)
        gpgme_data_release(*data);
}
