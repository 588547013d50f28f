#include "registry/cli/serve/upload-purging.h"

#include <errno.h>

#include "registry/runtime/log.h"

static void log_purge(void *object, const char *name, const char *id)
{
    const struct upload_purging *purging = object;

    log_info("%s upload %s of %s",
             purging->settings->upload_purging.is_dry_run ? "would purge" : "purging", id, name);
}

/* Servers that share a bucket take turns: each purge lists every repository. */
static int purge(struct upload_purging *purging, struct error *err)
{
    const struct settings_upload_purging *settings = &purging->settings->upload_purging;

    if (store_is_remote(purging->store) && !settings->is_dry_run)
        return store_purge_uploads_in_turn(purging->store, settings->interval_ms, settings->age_ms,
                                           log_purge, purging, err);
    return store_purge_uploads(purging->store, settings->age_ms, settings->is_dry_run, log_purge,
                               purging, err);
}

void upload_purging_run(struct upload_purging *purging)
{
    const struct settings_upload_purging *settings = &purging->settings->upload_purging;
    struct error err = {0};

    if (!settings->is_enabled || purging->settings->is_read_only || time(NULL) < purging->next)
        return;
    purging->next = time(NULL) + (time_t)(settings->interval_ms / 1000);
    if (purge(purging, &err) < 0 && err.code != ECANCELED)
        log_error("cannot purge old uploads: %s", err.text);
}
