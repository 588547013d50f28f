#pragma once

#include <time.h>

#include "registry/config/settings.h"
#include "registry/core/store.h"

/* Removes abandoned uploads, as storage.maintenance.uploadpurging says. For one thread. */
struct upload_purging {
    const struct settings_storage *settings; /* borrowed, as is the store */
    struct store *store;
    time_t next;
};

/* Does nothing before the interval has passed. Logs failures. */
void upload_purging_run(struct upload_purging *purging);
