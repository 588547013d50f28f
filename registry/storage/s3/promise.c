#include "registry/storage/s3/promise.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/monotonic.h"
#include "common/random.h"
#include "registry/storage/s3/collection-record.h"

#define PROMISES "registryd/promises/"

enum { PLACES = 4096, DAY_S = 24 * 60 * 60, DAY_SIZE = 32 };

/* The digest of a key, and when the key was promised. */
struct place {
    struct digest digest; /* of no characters: free */
    int64_t made_ms; /* by boottime_ms() */
};

struct promises {
    pthread_mutex_t mutex;
    struct place *places;
};

struct promises *promises_new(void)
{
    struct promises *promises = calloc(1, sizeof(*promises));

    if (!promises)
        return NULL;
    promises->places = calloc(PLACES, sizeof(*promises->places));
    if (!promises->places) {
        free(promises);
        return NULL;
    }
    pthread_mutex_init(&promises->mutex, NULL);
    return promises;
}

void promises_free(struct promises *promises)
{
    if (!promises)
        return;
    pthread_mutex_destroy(&promises->mutex);
    free(promises->places);
    free(promises);
}

static struct place *find_place(struct promises *promises, const char *hex)
{
    unsigned long number;
    char start[9];

    memcpy(start, hex, 8);
    start[8] = '\0';
    number = strtoul(start, NULL, 16);
    return &promises->places[number % PLACES];
}

static bool is_made(struct promises *promises, const struct digest *digest)
{
    const struct place *place = find_place(promises, digest->hex);
    bool is_made;

    pthread_mutex_lock(&promises->mutex);
    is_made = digest_is_equal(&place->digest, digest) &&
              (int64_t)boottime_ms() < place->made_ms + STORAGE_REFRESH_S * 1000;
    pthread_mutex_unlock(&promises->mutex);
    return is_made;
}

static void note(struct promises *promises, const struct digest *digest, int64_t made_ms)
{
    struct place *place = find_place(promises, digest->hex);

    pthread_mutex_lock(&promises->mutex);
    place->digest = *digest;
    place->made_ms = made_ms;
    pthread_mutex_unlock(&promises->mutex);
}

/* --- their objects --------------------------------------------------------------------------- */

static int64_t day_of(int64_t time_s)
{
    return time_s / DAY_S;
}

/* Free with free(). NULL if memory is out. */
static char *promise_key(int64_t day, const char *key)
{
    char *text;

    return asprintf(&text, PROMISES "%" PRId64 "/%s", day, key) < 0 ? NULL : text;
}

int promise_make(struct s3 *s3, const char *key, struct error *err)
{
    int64_t now_ms = (int64_t)boottime_ms();
    CLEANUP_FREE char *promise = promise_key(day_of(storage_now(&s3->storage)), key);
    const struct storage_step step = {.kind = STORAGE_PUT, .key = promise};
    struct digest digest;
    int r;

    if (!promise || digest_of(DIGEST_SHA256, key, strlen(key), &digest) < 0)
        return error_set_oom(err);
    if (is_made(s3->promises, &digest))
        return 0;
    r = s3_put(s3, &step, err);
    if (r == 0)
        note(s3->promises, &digest, now_ms);
    return r;
}

static int find_on_day(struct s3 *s3, int64_t day, const char *key, int64_t *last_s,
                       struct error *err)
{
    CLEANUP_FREE char *promise = promise_key(day, key);
    struct storage_object object;
    int64_t made_s = 0;
    int r;

    if (!promise)
        return error_set_oom(err);
    r = key[strlen(key) - 1] == '/' ? s3_find_newest(s3, promise, &made_s, err)
                                    : s3_head_dated(s3, promise, &object, &made_s, err);
    if (r == 0 && made_s > *last_s)
        *last_s = made_s;
    return r < 0 ? r : 0;
}

/* By day, because a promise is below the day on which it was made. */
int promise_find(struct s3 *s3, const char *key, int64_t since_s, int64_t *last_s,
                 struct error *err)
{
    int64_t now_s = storage_now(&s3->storage), today = day_of(now_s), first = day_of(since_s);
    int64_t begin = day_of(collection_record_find_begin(s3->collections, now_s));
    int r = 0;

    if (first < begin - PROMISE_DAYS)
        first = begin - PROMISE_DAYS;
    for (int64_t day = first; r == 0 && day <= today; day++)
        r = find_on_day(s3, day, key, last_s, err);
    return r;
}

/* The time is read before the records: a collection that begins later needs none of what goes. */
int promise_clean_up(struct s3 *s3, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list days = {0};
    int64_t begin_s, now_s = storage_now(&s3->storage);
    int r = collection_record_find_oldest(s3, now_s, &begin_s, err);

    if (r == 0)
        r = s3_list(&s3->storage, PROMISES, NULL, SIZE_MAX, &days, err);

    for (size_t i = 0; r == 0 && i < days.count; i++) {
        char prefix[sizeof(PROMISES) + DAY_SIZE];
        const char *name = days.entries[i]->name;

        snprintf(prefix, sizeof(prefix), PROMISES "%.20s/", name);
        if (strtoll(name, NULL, 10) < day_of(begin_s) - PROMISE_DAYS)
            r = s3_delete_below(s3, prefix, err);
    }
    return r;
}
