#pragma once

#include "common/error.h"
#include "registry/access/tokens.h"

/*
 * Removes the records of identity tokens that nobody has used for too long, once a day. A wrong
 * clock must not end all logins for good. So it waits until the clock has gone evenly for an hour:
 * by then a clock that was wrong at the start of the machine has usually been set. For one thread.
 */
struct identity_pruning {
    int64_t wall_s, boot_ms; /* when the clock was last seen to start or to be set */
    int64_t done_ms;         /* of boot_ms; 0: not yet */
};

/* wall_s is the time since 1970, boot_ms is boottime_ms(). */
void identity_pruning_start(struct identity_pruning *pruning, int64_t wall_s, int64_t boot_ms);
bool identity_pruning_is_due(struct identity_pruning *pruning, int64_t wall_s, int64_t boot_ms);

/*
 * Removes the records now; the next time is a day later, also after a failure. pace is called
 * between two records; if it returns a negative value, that is the result. 0 with the number of
 * records in *ret_count, or negative.
 */
int identity_pruning_run(struct identity_pruning *pruning, struct tokens *tokens,
                         int (*pace)(void *object, struct error *err), void *object,
                         size_t *ret_count, struct error *err) MUST_USE;
