#pragma once

#include "common/random.h"
#include "registry/storage/s3/s3-private.h"

/*
 * The object of a claim: a line for each holder, changed by compare-and-swap. A line counts until
 * its lease has run out by the store's clock.
 */

enum {
    CLAIM_SHARED_S = 20, /* the lease of a line of sharers, which may outlive their process: */
    CLAIM_ALONE_S = 30,  /* shorter than the patience of those who wait for them */
};

/* A line of this process. Only one thread at a time may use it. */
struct claim_line {
    char id[RANDOM_UUID_SIZE];
    int64_t until_s;
    enum storage_claim_mode mode;
    bool is_only; /* the object had this version and no other lines when this one was written */
    struct storage_version version;
};

/* What stands in the way of a claim. */
struct claim_obstacle {
    bool is_shared; /* others share it, who may only keep it for later */
    bool is_wanted; /* others have it alone, or wait for that */
};

/* A new line, which is not in the object yet. */
struct claim_line claim_line_new(enum storage_claim_mode mode);

/*
 * Writes the line into the object unless others prevent that: 0, and the line has a new lease. If
 * it wants to be alone and may wait, it says so in the object, so that new sharers wait.
 * STORAGE_WOULD_WAIT with the obstacle, STORAGE_CONFLICT (somebody else was faster) or negative.
 */
int claim_line_take(struct s3 *s3, const char *key, struct claim_line *line, bool may_wait,
                    struct claim_obstacle *ret, struct error *err);

/*
 * Gives a line that is in the object a new lease. 0, STORAGE_CLAIM_LOST or negative. *ret_is_wanted
 * also says whether somebody waits to be alone.
 */
int claim_line_renew(struct s3 *s3, const char *key, struct claim_line *line, bool *ret_is_wanted,
                     struct error *err);

/* Whether more than half of the lease is left. */
bool claim_line_is_fresh(struct s3 *s3, const struct claim_line *line);

/* Removes the line from the object, if it is there. Best effort: otherwise the lease runs out. */
void claim_line_leave(struct s3 *s3, const char *key, struct claim_line *line);
