#include "registry/storage/s3/store-clock.h"

#include <time.h>

#include "common/monotonic.h"

enum { WINDOW_MS = 5 * 60 * 1000 };

static int64_t boot_s(void)
{
    return (int64_t)(boottime_ms() / 1000);
}

void store_clock_init(struct store_clock *clock)
{
    *clock = (struct store_clock){0};
    pthread_mutex_init(&clock->mutex, NULL);
    clock->offsets_s[0] = clock->offsets_s[1] = (int64_t)time(NULL) - boot_s();
}

void store_clock_done(struct store_clock *clock)
{
    pthread_mutex_destroy(&clock->mutex);
}

int64_t store_clock_read(struct store_clock *clock)
{
    int64_t offset_s;

    pthread_mutex_lock(&clock->mutex);
    offset_s = clock->offsets_s[0] > clock->offsets_s[1] ? clock->offsets_s[0]
                                                         : clock->offsets_s[1];
    pthread_mutex_unlock(&clock->mutex);
    return boot_s() + offset_s;
}

/*
 * An answer that was long under way has an old date, so the largest difference of the last minutes
 * is the best one. It is too large by less than a second, because the date was written before the
 * answer came.
 */
void store_clock_learn(struct store_clock *clock, int64_t date_s)
{
    int64_t now_ms = (int64_t)boottime_ms(), offset_s = date_s - boot_s();

    pthread_mutex_lock(&clock->mutex);
    if (now_ms >= clock->window_end_ms) {
        clock->offsets_s[1] = clock->window_end_ms ? clock->offsets_s[0] : offset_s;
        clock->offsets_s[0] = offset_s;
        clock->window_end_ms = now_ms + WINDOW_MS;
    }
    if (offset_s > clock->offsets_s[0])
        clock->offsets_s[0] = offset_s;
    pthread_mutex_unlock(&clock->mutex);
}
