#include "registry/access/identity-pruning.h"

#include <stdlib.h>

#include "common/monotonic.h"

enum { HOUR_MS = 60 * 60 * 1000, DAY_MS = 24 * HOUR_MS, JUMP_S = 60 };

void identity_pruning_start(struct identity_pruning *pruning, int64_t wall_s, int64_t boot_ms)
{
    *pruning = (struct identity_pruning){.wall_s = wall_s, .boot_ms = boot_ms};
}

static bool was_clock_set(const struct identity_pruning *pruning, int64_t wall_s, int64_t boot_ms)
{
    return llabs(wall_s - pruning->wall_s - (boot_ms - pruning->boot_ms) / 1000) > JUMP_S;
}

bool identity_pruning_is_due(struct identity_pruning *pruning, int64_t wall_s, int64_t boot_ms)
{
    if (was_clock_set(pruning, wall_s, boot_ms)) {
        pruning->wall_s = wall_s;
        pruning->boot_ms = boot_ms;
    }
    if (boot_ms < pruning->boot_ms + HOUR_MS)
        return false;
    return pruning->done_ms == 0 || boot_ms >= pruning->done_ms + DAY_MS;
}

int identity_pruning_run(struct identity_pruning *pruning, struct tokens *tokens,
                         int (*pace)(void *object, struct error *err), void *object,
                         size_t *ret_count, struct error *err)
{
    pruning->done_ms = (int64_t)boottime_ms();
    return tokens_prune(tokens, pace, object, ret_count, err);
}
