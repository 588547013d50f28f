#pragma once

#include "common/random.h"
#include "registry/storage/s3/s3-private.h"

/*
 * The keys that a collector is about to remove, in one object of the bucket. One thread at a time,
 * except for doom_has().
 */

enum { DOOM_S = 60, DOOM_DRIFT_S = 5 };

struct doom {
    uint64_t number; /* changes when a collector begins or ends; 0: there has been none */
    char collector[RANDOM_UUID_SIZE]; /* of each write another id, so that no two have the same bytes */
    int64_t written_s; /* by the store's clock; DOOM_S later the collector deletes nothing any more */
    char **keys;     /* sorted; prefixes have a slash at their end */
    size_t count;
    bool is_new; /* there is no object */
    struct storage_version version;
};

/* *ret is the caller's, free with doom_done(). 0, or negative with *ret unchanged. */
int doom_read(struct s3 *s3, struct doom *ret, struct error *err) MUST_USE;

/* Writes it over the version that it has. 0, STORAGE_CONFLICT or negative. */
int doom_write(struct s3 *s3, struct doom *doom, struct error *err) MUST_USE;

/* Adds a copy of a key; doom_sort() comes after the last. 0 or -ENOMEM. */
int doom_add(struct doom *doom, const char *key) MUST_USE;
void doom_sort(struct doom *doom);
void doom_done(struct doom *doom);

/* Whether a collector may be removing a key at that time. */
bool doom_has(const struct doom *doom, const char *key, int64_t now_s);
