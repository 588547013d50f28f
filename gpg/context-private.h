#pragma once

#include "gpg/gpgme.h"

#include "gpg/context.h"
#include "gpg/status.h"

/* What the other files of gpg/ share with context.c. */
struct gpg_context {
    gpgme_ctx_t handle;
    bool has_hidden_recipients;
    enum gpg_pinentry_mode pinentry_mode;
    struct gpg_status status; /* of the last operation; watch.c fills it */
};

/* Refuses an operation on a secret if gpg.conf makes gpg write it elsewhere. 0 or negative. */
int gpg_context_check_debugging(const struct gpg_context *gpg, struct error *err) MUST_USE;

static inline void gpg_data_release(gpgme_data_t *data)
{
    if (*data)
        gpgme.data_release(*data);
}
