#pragma once

#include "registry/storage/s3/s3-private.h"

/*
 * Promises: somebody was told that an object exists. A promise is an object of its own, below the day
 * on which it was made, so that old ones can be deleted without looking whether they were renewed.
 */
/*
 * Older ones count for nothing. They are deleted, unless a collection is running that began when
 * they were not as old.
 */
enum { PROMISE_DAYS = 8 };

/* The promises that this process has made lately. From any thread. */
struct promises;

struct promises *promises_new(void); /* NULL: out of memory */
void promises_free(struct promises *promises);

/*
 * Promises the object at key, unless this process has within STORAGE_REFRESH_S. Within a lease_work
 * for the key. 0 or negative.
 */
int promise_make(struct s3 *s3, const char *key, struct error *err) MUST_USE;

/*
 * Raises *last_s to the time of the last promise of an object, or of one below a prefix, that was
 * made since that moment. 0 or negative.
 */
int promise_find(struct s3 *s3, const char *key, int64_t since_s, int64_t *last_s,
                 struct error *err) MUST_USE;

/* Deletes those that count for nothing any more. 0 or negative. */
int promise_clean_up(struct s3 *s3, struct error *err) MUST_USE;
