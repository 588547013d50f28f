#include "registry/cli/serve/growth-recording.h"

#include <errno.h>

#include "common/monotonic.h"
#include "registry/api/page-state.h"
#include "registry/core/growth.h"
#include "registry/runtime/log.h"
#include "registry/storage/storage.h"

enum {
    FIRST_MS = 10 * 60 * 1000, /* after the start, when many clients may be waiting */
    LOOK_MS = 60 * 60 * 1000,
};

void growth_recording_start(struct growth_recording *recording)
{
    recording->next_ms = monotonic_ms() + FIRST_MS;
}

/* Other servers and commands report no events, but what they collect shows. */
static bool has_changed(const struct growth_recording *recording)
{
    bool is_noted = page_state_take_changes(recording->page);

    return is_noted || growth_is_before_collection(recording->store);
}

void growth_recording_run(struct growth_recording *recording,
                          int (*pace)(void *object, struct error *err), void *object)
{
    struct error err = {0};
    int r;

    if (!recording->page || storage_is_remote(store_get_storage(recording->store)) ||
        monotonic_ms() < recording->next_ms)
        return;
    recording->next_ms = monotonic_ms() + LOOK_MS;
    if (!growth_is_due(recording->store) || !has_changed(recording))
        return;
    r = growth_measure(recording->store, pace, object, &err);
    if (r < 0 && r != -ECANCELED && r != -E2BIG)
        log_warn("cannot measure how the registry grew: %s", err.text);
}
