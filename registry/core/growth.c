#include "registry/core/growth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "registry/core/quota.h"
#include "registry/core/records.h"
#include "registry/core/store-private.h"
#include "registry/core/usage-ledger.h"

#define RECORD "page/space"

enum { POINT_SIZE = 48 };

/* --- the record ----------------------------------------------------------------------------- */

int growth_read(struct store *store, struct growth *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    int r = store_read_record(store, RECORD, &text, err);

    ret->count = 0;
    for (char *line = text; r == 0 && line && *line && ret->count < GROWTH_POINTS_MAX;) {
        struct growth_point point;
        int length = 0;

        if (sscanf(line, "%" SCNd64 " %" SCNu64 "\n%n", &point.time_s, &point.bytes, &length) != 2 ||
            length == 0)
            break;
        line += length;
        if (ret->count == 0 || point.time_s > ret->items[ret->count - 1].time_s)
            ret->items[ret->count++] = point;
    }
    return r < 0 ? r : 0;
}

/* Keeps the first, the third and so on of the older half. */
static void thin_out(struct growth *growth)
{
    size_t half = growth->count / 2, kept = 0;

    for (size_t i = 0; i < growth->count; i++)
        if (i >= half || i % 2 == 0)
            growth->items[kept++] = growth->items[i];
    growth->count = kept;
}

bool growth_add(struct growth *growth, const struct growth_point *point)
{
    if (growth->count > 0 &&
        point->time_s < growth->items[growth->count - 1].time_s + GROWTH_INTERVAL_S)
        return false;
    if (growth->count == GROWTH_POINTS_MAX)
        thin_out(growth);
    growth->items[growth->count++] = *point;
    return true;
}

static int write_record(struct store *store, const struct growth *growth, struct error *err)
{
    CLEANUP_FREE char *text = malloc(growth->count * POINT_SIZE + 1);
    size_t size = 0;

    if (!text)
        return error_set_oom(err);
    for (size_t i = 0; i < growth->count; i++)
        size += (size_t)snprintf(text + size, POINT_SIZE, "%" PRId64 " %" PRIu64 "\n",
                                 growth->items[i].time_s, growth->items[i].bytes);
    return store_note_record(store, RECORD, text, err);
}

void growth_note(struct store *store, const struct growth_point *point)
{
    CLEANUP_FREE struct growth *growth = malloc(sizeof(*growth));
    struct error ignored;
    int r = growth ? growth_read(store, growth, &ignored) : -ENOMEM;

    if (r == 0 && growth_add(growth, point))
        r = write_record(store, growth, &ignored);
    (void)r;
}

/* The time of the last point; 0 without one. Negative if it cannot be read. */
static int64_t find_last(struct store *store)
{
    CLEANUP_FREE struct growth *growth = malloc(sizeof(*growth));
    struct error ignored;

    if (!growth || growth_read(store, growth, &ignored) < 0)
        return -1;
    return growth->count > 0 ? growth->items[growth->count - 1].time_s : 0;
}

bool growth_is_due(struct store *store)
{
    int64_t last_s = find_last(store);

    return last_s >= 0 && storage_now(store->storage) >= last_s + GROWTH_DAY_S;
}

bool growth_is_before_collection(struct store *store)
{
    int64_t last_s = find_last(store), collected_s = store_find_collected(store);

    return last_s >= 0 && collected_s > 0 && collected_s >= last_s;
}

/* --- measuring ------------------------------------------------------------------------------ */

/* A measurement in progress. */
struct measurement {
    struct store *store;
    int (*pace)(void *object, struct error *err);
    void *object;
    struct digest_set blobs; /* of all repositories */
};

static int add_repository(struct measurement *measurement, const char *name, struct error *err)
{
    CLEANUP(digest_set_done) struct digest_set blobs = {0};
    int r = usage_gather_repository(measurement->store, name, &blobs, err);

    for (size_t i = 0; r == 0 && i < blobs.count; i++)
        if (digest_set_add(&measurement->blobs, &blobs.items[i]) < 0)
            return error_set_oom(err);
    if (r == 0 && measurement->blobs.tidy_count > GROWTH_BLOBS_MAX)
        return error_set(err, E2BIG, "there are more than %d blobs", GROWTH_BLOBS_MAX);
    return r < 0 ? r : measurement->pace(measurement->object, err);
}

static int sum_blobs(struct measurement *measurement, uint64_t *ret, struct error *err)
{
    int r = 0;

    *ret = 0;
    for (size_t i = 0; r >= 0 && i < measurement->blobs.count; i++) {
        struct storage_object object;
        struct digest digest;
        struct key data;

        digest_id_format(&measurement->blobs.items[i], &digest);
        data = key_blob(&digest);
        r = storage_head(measurement->store->storage, data.text, STORAGE_MAY_WAIT, &object, err);
        if (r == 0)
            *ret += object.size;
        if (r >= 0)
            r = measurement->pace(measurement->object, err);
    }
    return r < 0 ? r : 0;
}

static int measure_names(struct measurement *measurement, const struct store_names *names,
                         struct error *err)
{
    struct growth_point point = {.time_s = storage_now(measurement->store->storage)};
    int r = 0;

    for (size_t i = 0; r == 0 && i < names->count; i++)
        r = add_repository(measurement, names->items[i], err);
    digest_set_sort(&measurement->blobs);
    if (r == 0)
        r = sum_blobs(measurement, &point.bytes, err);
    if (r == 0)
        growth_note(measurement->store, &point);
    return r;
}

int growth_measure(struct store *store, int (*pace)(void *object, struct error *err), void *object,
                   struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    struct measurement measurement = {.store = store, .pace = pace, .object = object};
    int r = store_list_repositories(store, NULL, SIZE_MAX, NULL, &names, err);

    if (r == 0 && names.count > 0)
        r = measure_names(&measurement, &names, err);
    digest_set_done(&measurement.blobs);
    return r;
}
