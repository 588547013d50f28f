#pragma once

#include <gpgme.h>

#include "gpg/context.h"

/* What the other files of gpg/ share with context.c. */
struct gpg_context {
    gpgme_ctx_t handle;
    bool has_hidden_recipients;
};

static inline void gpg_data_release(gpgme_data_t *data)
{
    if (*data)
        gpgme_data_release(*data);
}
