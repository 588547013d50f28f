/*
 * Garbage collection beside other servers: docs/storage-s3.md. A collector publishes the keys that it
 * is about to remove, waits until every process with a lease has seen them, and then decides by the
 * times of objects and promises.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "registry/storage/s3/collection-record.h"
#include "registry/storage/s3/delete-many.h"
#include "registry/storage/s3/lease.h"
#include "registry/storage/s3/multipart.h"
#include "registry/storage/s3/parallel.h"
#include "registry/storage/s3/promise.h"

enum {
    REFRESH_PATIENCE_MS = 2000,
    LOOK_MS = 100,
    LEASES_MS = 10 * 60 * 1000, /* a server may have to end a long write first */
    OTHERS_MS = 60 * 1000,      /* until another collector has ended its step */
    CLOCK_S = 2,                /* by which clocks of one store differ, and their full seconds */
    PROBE_AGE_S = 60 * 60,
    DAY_S = 24 * 60 * 60,
    RENEW_DOOM_MS = DOOM_S * 1000 / 3,
    DELETE_BATCH = 200, /* keys that a store deletes within a few seconds */
};

/* --- promising ------------------------------------------------------------------------------- */

/* What was written lately needs no promise. */
int s3_keep(struct s3 *s3, const char *key, struct storage_object *ret, struct error *err)
{
    struct storage_object object;
    int64_t written_s;
    int r = s3_head_dated(s3, key, &object, &written_s, err);

    if (r == 0 && storage_now(&s3->storage) - written_s >= STORAGE_REFRESH_S - CLOCK_S)
        r = promise_make(s3, key, err);
    if (r == 0)
        *ret = object;
    return r;
}

int s3_refresh(struct storage *storage, const char *key, enum storage_waiting waiting,
               struct storage_object *ret, struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    struct lease_work work = {.keys = &key, .count = 1};
    struct storage_object object;
    int r, ended;

    if (waiting == STORAGE_MUST_NOT_WAIT)
        return STORAGE_WOULD_WAIT;
    r = lease_begin(s3->lease, &work, REFRESH_PATIENCE_MS, err);
    if (r != 0)
        return r;
    r = s3_keep(s3, key, &object, err);
    ended = lease_end(s3->lease, &work, r < 0 ? NULL : err);
    if (r == 0 && ended == 0)
        *ret = object;
    return r == 0 ? ended : r;
}

/* --- when something was used ----------------------------------------------------------------- */

/* When an object, or the newest below a prefix, was written. 0, STORAGE_NOT_FOUND or negative. */
static int find_write(struct s3 *s3, const char *key, int64_t *ret_s, struct error *err)
{
    struct storage_object object;

    return key[strlen(key) - 1] == '/' ? s3_find_newest(s3, key, ret_s, err)
                                       : s3_head_dated(s3, key, &object, ret_s, err);
}

int s3_used_since(struct storage *storage, const char *key, int64_t moment_s, bool *ret,
                  struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    int64_t used_s, since_s = moment_s - CLOCK_S;
    int r = find_write(s3, key, &used_s, err);

    if (r == 0 && used_s < since_s)
        r = collection_record_renew(s3->collections, err);
    if (r == 0 && used_s < since_s)
        r = promise_find(s3, key, since_s, &used_s, err);
    if (r == 0)
        *ret = used_s >= since_s;
    return r;
}

/* Promises that are older than a day are not looked for: each day is a request. */
int s3_last_use(struct storage *storage, const char *key, int64_t *ret_ns, struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    int64_t used_s;
    int r = find_write(s3, key, &used_s, err);

    if (r == 0)
        r = promise_find(s3, key, storage_now(storage) - DAY_S, &used_s, err);
    if (r == 0)
        *ret_ns = used_s * 1000000000;
    return r;
}

/* --- the doomed keys ------------------------------------------------------------------------- */

/* A collector's step. */
struct removing {
    struct s3 *s3;
    struct storage_removal *removals;
    int64_t moment_s;
    bool may_delete_late; /* it is not known whether a request to delete is still in progress */

    pthread_mutex_t mutex;    /* protects the rest */
    struct doom doom;         /* what it has published, */
    int64_t published_ms;     /* and when, by its own clock */
    struct storage_list keys; /* to delete */
};

static int add_keys(struct doom *doom, const char *const *keys, size_t count)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = doom_add(doom, keys[i]);
    return r;
}

static int add_removals(struct doom *doom, const struct storage_removal *removals, size_t count)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++) {
        r = add_keys(doom, removals[i].keys, removals[i].key_count);
        if (r == 0)
            r = add_keys(doom, removals[i].witnesses, removals[i].witness_count);
    }
    doom_sort(doom);
    return r;
}

/* Writes the list, anew or again. 0, STORAGE_CONFLICT or negative. */
static int publish(struct removing *removing, struct error *err)
{
    int64_t now_ms = (int64_t)boottime_ms();
    int r = doom_write(removing->s3, &removing->doom, err);

    if (r == 0)
        removing->published_ms = now_ms;
    return r;
}

/* Whether another collector is at work. One that was killed is for DOOM_S and a little more. */
static bool is_at_work(const struct s3 *s3, const struct doom *doom)
{
    return doom->count > 0 && storage_now((struct storage *)&s3->storage) <=
                                  doom->written_s + DOOM_S + DOOM_DRIFT_S;
}

/* One try. 0, STORAGE_CONFLICT if another collector is at work or was faster, or negative. */
static int try_to_publish(struct removing *removing, const struct storage_removal *removals,
                          size_t count, struct error *err)
{
    CLEANUP(doom_done) struct doom before = {0};
    struct doom *doom = &removing->doom;
    int r = doom_read(removing->s3, &before, err);

    if (r < 0)
        return r;
    if (is_at_work(removing->s3, &before))
        return STORAGE_CONFLICT;
    doom_done(doom);
    *doom = (struct doom){
        .number = before.number + 1, .is_new = before.is_new, .version = before.version};
    return add_removals(doom, removals, count) < 0 ? error_set_oom(err) : publish(removing, err);
}

static int publish_all(struct removing *removing, const struct storage_removal *removals,
                       size_t count, struct error *err)
{
    int64_t end_ms = monotonic_ms() + OTHERS_MS + (DOOM_S + DOOM_DRIFT_S) * 1000;
    int r;

    while ((r = try_to_publish(removing, removals, count, err)) == STORAGE_CONFLICT) {
        if (monotonic_ms() >= end_ms)
            return error_set(err, EAGAIN, "another process collects garbage in this bucket");
        usleep(LOOK_MS * 1000);
    }
    return r;
}

/* Whether others may have taken the list for run out. Its time by the store's clock is later. */
static bool has_run_out(int64_t published_ms)
{
    return (int64_t)boottime_ms() >= published_ms + DOOM_S * 1000;
}

/*
 * Makes sure that others take the keys for doomed without a gap, and for a while: longer than a
 * request to delete one may be under way. After a gap, work on the keys may have begun that no
 * lease shows, so the step must end. 0 or negative.
 */
static int renew_list(struct removing *removing, struct error *err)
{
    int64_t before_ms = removing->published_ms;
    int r = 0;

    if (has_run_out(before_ms))
        return error_set(err, EAGAIN,
                         "the collector was stopped for too long, or the store is slow");
    if ((int64_t)boottime_ms() < before_ms + RENEW_DOOM_MS)
        return 0;
    r = publish(removing, err);
    if (r == 0 && has_run_out(before_ms))
        return error_set(err, EAGAIN, "the store took too long to write the list of a collector");
    return r <= 0 ? r : error_set(err, EAGAIN, "another process collects garbage in this bucket");
}

static int renew(void *object, struct error *err)
{
    struct removing *removing = object;
    int r;

    pthread_mutex_lock(&removing->mutex);
    r = renew_list(removing, err);
    pthread_mutex_unlock(&removing->mutex);
    return r;
}

/* Waits until no process with a lease works on a doomed key any more. */
static int wait_for_leases(struct removing *removing, struct error *err)
{
    int64_t end_ms = monotonic_ms() + LEASES_MS;
    int r;

    lease_wake(removing->s3->lease);
    for (;;) {
        r = lease_look_at_others(removing->s3, removing->doom.number, renew, removing, err);
        if (r != STORAGE_WOULD_WAIT)
            return r;
        if (monotonic_ms() >= end_ms)
            return error_set(err, EAGAIN,
                             "a server does not end its work on what is to be removed");
        usleep(LOOK_MS * 1000);
        r = renew(removing, err);
        if (r < 0)
            return r;
    }
}

/*
 * Ends the step: nothing is doomed any more. If that fails, or if the store may still be deleting,
 * the list runs out.
 */
static void end_step(struct removing *removing)
{
    struct error ignored;

    if (removing->may_delete_late)
        return;
    removing->doom.number++;
    for (size_t i = 0; i < removing->doom.count; i++)
        free(removing->doom.keys[i]);
    removing->doom.count = 0;
    (void)!publish(removing, &ignored);
    lease_wake(removing->s3->lease);
}

/* --- removing -------------------------------------------------------------------------------- */

static int is_used(struct s3 *s3, const struct storage_removal *removal, int64_t moment_s,
                   bool *ret, struct error *err)
{
    int r = 0;

    *ret = false;
    for (size_t i = 0; r == 0 && !*ret && i < removal->witness_count; i++) {
        r = s3_used_since(&s3->storage, removal->witnesses[i], moment_s, ret, err);
        if (r == STORAGE_NOT_FOUND)
            r = 0;
    }
    return r;
}

/* A page of keys that are to be deleted. */
static int gather(void *object, const char *const *keys, size_t count, struct error *err)
{
    struct removing *removing = object;
    int r = 0;

    pthread_mutex_lock(&removing->mutex);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = storage_list_add(&removing->keys, keys[i], strlen(keys[i]), false);
    pthread_mutex_unlock(&removing->mutex);
    return r < 0 ? error_set_oom(err) : 0;
}

/* Decides about one removal, and finds its keys. Several run at a time. */
static int decide(void *object, size_t number, struct error *err)
{
    struct removing *removing = object;
    struct storage_removal *removal = &removing->removals[number];
    int r = renew(removing, err);

    if (r == 0)
        r = is_used(removing->s3, removal, removing->moment_s, &removal->is_spared, err);
    for (size_t i = 0; r == 0 && !removal->is_spared && i < removal->key_count; i++) {
        const char *key = removal->keys[i];

        r = key[strlen(key) - 1] == '/'
                ? s3_for_each_page_below(removing->s3, key, gather, removing, err)
                : gather(removing, &key, 1, err);
    }
    return r;
}

static int delete_gathered(struct removing *removing, struct error *err)
{
    const char *keys[DELETE_BATCH];
    int r = 0;

    for (size_t i = 0, n; r == 0 && i < removing->keys.count; i += n) {
        int64_t now_s = storage_now(&removing->s3->storage); /* before the look at the list */

        n = removing->keys.count - i < DELETE_BATCH ? removing->keys.count - i : DELETE_BATCH;
        for (size_t k = 0; k < n; k++)
            keys[k] = removing->keys.entries[i + k]->name;
        r = renew(removing, err);
        removing->may_delete_late = true;
        if (r == 0)
            r = s3_delete_many_soon(removing->s3, keys, n, now_s, err);
    }
    removing->may_delete_late = removing->may_delete_late && r < 0;
    return r;
}

static void removing_done(struct removing *removing)
{
    storage_list_done(&removing->keys);
    doom_done(&removing->doom);
    pthread_mutex_destroy(&removing->mutex);
}

int s3_remove_unused(struct storage *storage, struct storage_removal *removals, size_t count,
                     int64_t moment_s, struct error *err)
{
    CLEANUP(removing_done) struct removing removing = {
        .s3 = (struct s3 *)storage, .removals = removals, .moment_s = moment_s};
    int r;

    pthread_mutex_init(&removing.mutex, NULL);
    if (count == 0)
        return 0;
    r = publish_all(&removing, removals, count, err);
    if (r < 0)
        return r;
    r = wait_for_leases(&removing, err);
    if (r == 0)
        r = collection_record_renew(removing.s3->collections, err);
    if (r == 0)
        r = s3_run_parallel(count, decide, &removing, err);
    if (r == 0)
        r = delete_gathered(&removing, err);
    end_step(&removing);
    return r;
}

int s3_begin_collection(struct storage *storage, struct error *err)
{
    return collection_record_begin(((struct s3 *)storage)->collections, err);
}

void s3_end_collection(struct storage *storage)
{
    collection_record_end(((struct s3 *)storage)->collections);
}

/* --- what crashes left ----------------------------------------------------------------------- */

struct probes {
    struct s3 *s3;
    int64_t before_s;
};

static int delete_old_probe(void *object, const char *key, struct error *err)
{
    const struct probes *probes = object;
    struct storage_object found;
    int64_t written_s;
    int r = s3_head_dated(probes->s3, key, &found, &written_s, err);

    if (r == 0 && written_s < probes->before_s)
        r = s3_delete(probes->s3, key, err);
    return r < 0 ? r : 0;
}

int s3_clean_up(struct storage *storage, int64_t age_s, struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    struct probes probes = {
        .s3 = s3,
        .before_s = storage_now(storage) - (age_s > PROBE_AGE_S ? age_s : PROBE_AGE_S)};
    int r = s3_for_each_below(s3, "registryd/probe/", delete_old_probe, &probes, err);

    if (r == 0)
        r = lease_clean_up(s3, err);
    if (r == 0)
        r = multipart_purge(s3, age_s, err);
    return r == 0 ? promise_clean_up(s3, err) : r;
}
