#include "registry/storage/s3/collection-record.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/monotonic.h"
#include "common/random.h"

#define COLLECTIONS "registryd/collections/"

enum { RENEW_S = 60 * 60, KEY_SIZE = 128, TEXT_SIZE = 64 };

/* By both clocks, of which neither may be trusted alone: the store's may be set. */
struct moment {
    int64_t own_s, store_s;
};

struct collection_record {
    struct s3 *s3;
    char key[KEY_SIZE];
    pthread_mutex_t mutex; /* protects the rest, also during requests */
    unsigned running;      /* collections of this process */
    int64_t begin_s;       /* of the oldest, by the store's clock */
    struct moment written; /* before the request */
};

static struct moment now_of(const struct collection_record *record)
{
    return (struct moment){.own_s = (int64_t)(boottime_ms() / 1000),
                           .store_s = storage_now(&record->s3->storage)};
}

/* Whether at least so much time has passed since then. */
static bool is_past(const struct collection_record *record, struct moment moment, int64_t seconds)
{
    struct moment now = now_of(record);

    return now.own_s - moment.own_s >= seconds || now.store_s - moment.store_s >= seconds;
}

struct collection_record *collection_record_new(struct s3 *s3)
{
    struct collection_record *record = calloc(1, sizeof(*record));
    char id[RANDOM_UUID_SIZE];

    if (!record)
        return NULL;
    record->s3 = s3;
    random_uuid(id);
    snprintf(record->key, sizeof(record->key), COLLECTIONS "%s", id);
    pthread_mutex_init(&record->mutex, NULL);
    return record;
}

void collection_record_free(struct collection_record *record)
{
    if (!record)
        return;
    pthread_mutex_destroy(&record->mutex);
    free(record);
}

/* --- with the mutex held --------------------------------------------------------------------- */

static int write_record(struct collection_record *record, struct error *err)
{
    char text[TEXT_SIZE];
    struct storage_step step = {.kind = STORAGE_PUT, .key = record->key, .data = text};
    struct moment now = now_of(record);
    int r;

    step.size = (size_t)snprintf(text, sizeof(text), "%" PRId64 "\n", record->begin_s);
    r = s3_put(record->s3, &step, err);
    if (r == 0)
        record->written = now;
    return r;
}

static int begin(struct collection_record *record, struct error *err)
{
    int r = 0;

    if (record->running == 0) {
        record->begin_s = storage_now(&record->s3->storage);
        r = write_record(record, err);
    }
    record->running += r == 0;
    return r;
}

static int renew(struct collection_record *record, struct error *err)
{
    struct moment before = record->written;
    int r = 0;

    if (record->running == 0 || !is_past(record, before, RENEW_S))
        return 0;
    if (!is_past(record, before, COLLECTION_RELY_S))
        r = write_record(record, err);
    if (r == 0 && is_past(record, before, COLLECTION_RELY_S))
        return error_set(err, EAGAIN, "the collection was stopped for more than a day");
    return r;
}

/* --- for the collector ----------------------------------------------------------------------- */

int collection_record_begin(struct collection_record *record, struct error *err)
{
    int r;

    pthread_mutex_lock(&record->mutex);
    r = begin(record, err);
    pthread_mutex_unlock(&record->mutex);
    return r;
}

void collection_record_end(struct collection_record *record)
{
    struct error ignored;

    pthread_mutex_lock(&record->mutex);
    if (--record->running == 0)
        (void)!s3_delete(record->s3, record->key, &ignored); /* otherwise it runs out */
    pthread_mutex_unlock(&record->mutex);
}

int collection_record_renew(struct collection_record *record, struct error *err)
{
    int r;

    pthread_mutex_lock(&record->mutex);
    r = renew(record, err);
    pthread_mutex_unlock(&record->mutex);
    return r;
}

int64_t collection_record_find_begin(struct collection_record *record, int64_t now_s)
{
    int64_t begin_s;

    pthread_mutex_lock(&record->mutex);
    begin_s = record->running > 0 ? record->begin_s : now_s;
    pthread_mutex_unlock(&record->mutex);
    return begin_s;
}

/* --- for the purge of promises --------------------------------------------------------------- */

/* The time of a record; now if it is gone. One that is damaged counts as the oldest. */
static int read_record(struct s3 *s3, const char *key, int64_t now_s, int64_t *ret_s,
                       struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    struct storage_object object;
    int64_t written_s;
    int r = s3_get_dated(s3, key, TEXT_SIZE, &text, &object, &written_s, err);

    *ret_s = now_s;
    if (r != 0)
        return r < 0 ? r : 0;
    if (now_s > written_s + COLLECTION_RECORD_S)
        return s3_delete(s3, key, err);
    if (sscanf(text, "%" SCNd64, ret_s) != 1)
        *ret_s = 0;
    return 0;
}

int collection_record_find_oldest(struct s3 *s3, int64_t now_s, int64_t *ret_s, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int64_t oldest_s = now_s;
    int r = s3_list(&s3->storage, COLLECTIONS, NULL, SIZE_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < list.count; i++) {
        char key[KEY_SIZE];
        int64_t begin_s;

        snprintf(key, sizeof(key), COLLECTIONS "%.64s", list.entries[i]->name);
        r = read_record(s3, key, now_s, &begin_s, err);
        oldest_s = r == 0 && begin_s < oldest_s ? begin_s : oldest_s;
    }
    if (r == 0)
        *ret_s = oldest_s;
    return r;
}
