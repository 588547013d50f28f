#pragma once

#include "common/error.h"
#include "registry/access/tokens.h"

/*
 * Once a day, removes the records of identity tokens that were unused for too long. A wrong clock
 * must not end all logins, so nothing is removed until the clock has run for an hour without being
 * set. By then, a clock that was wrong when the machine started has usually been corrected. For one
 * thread.
 */
struct identity_pruning {
    int64_t wall_s,
        boot_ms;     /* when the program started, or when it last noticed that the clock was set */
    int64_t done_ms; /* last run, on the clock of boot_ms; 0: none */
};

/* wall_s is the time since 1970, boot_ms is boottime_ms(). */
void identity_pruning_start(struct identity_pruning *pruning, int64_t wall_s, int64_t boot_ms);
bool identity_pruning_is_due(struct identity_pruning *pruning, int64_t wall_s, int64_t boot_ms);

/*
 * Removes the records now. The next run is due a day later, also after a failure. pace() is called
 * between two records; a negative result of it ends the run and is returned. 0 with the number of
 * removed records in *ret_count, or negative.
 */
int identity_pruning_run(struct identity_pruning *pruning, struct tokens *tokens,
                         int (*pace)(void *object, struct error *err), void *object,
                         size_t *ret_count, struct error *err) MUST_USE;
