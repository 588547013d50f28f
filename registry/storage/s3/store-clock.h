#pragma once

#include <pthread.h>
#include <stdint.h>

/*
 * The clock of the store, as its answers show it: the difference to this machine's clock since the
 * boot, which is never set. From any thread.
 */
struct store_clock {
    pthread_mutex_t mutex; /* protects the rest */
    int64_t offsets_s[2];  /* the store's clock minus boottime_ms(), in this and the last window */
    int64_t window_end_ms;
};

void store_clock_init(struct store_clock *clock);
void store_clock_done(struct store_clock *clock);

/* Seconds since 1970; by our clock before the first answer. */
int64_t store_clock_read(struct store_clock *clock);

/* An answer that came just now has this date. */
void store_clock_learn(struct store_clock *clock, int64_t date_s);
