#include "registry/storage/s3/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/condition.h"
#include "common/monotonic.h"
#include "common/thread.h"
#include "registry/storage/s3/parallel.h"

#define SERVERS "registryd/servers/"

enum {
    LOOK_MS = 1000,   /* between two looks at the doomed keys, */
    HURRY_MS = 100,   /* and while somebody waits for a collector */
    RENEW_MS = 4000,
    FIRST_MS = 20000, /* the longest wait for the first lease */
    LONG_AGO_S = 24 * 60 * 60,
    TEXT_SIZE = 128,
    KEY_SIZE = 128,
};

struct lease {
    struct s3 *s3;
    char key[KEY_SIZE];

    pthread_mutex_t mutex; /* protects the rest */
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, is_ending, is_woken;
    int64_t usable_until_ms; /* by boottime_ms(); 0: there is no lease */
    uint64_t generation;     /* of the lease, which changes if it ran out in between */
    struct error problem;   /* why there is none */
    struct doom doom;       /* as it was seen last */
    struct lease_work *works;
    unsigned waiters; /* for a collector */

    /* Only the thread uses them. */
    int64_t renewed_ms; /* when; by boottime_ms() */
    uint64_t told;      /* the number that the lease names */
};

/* It goes on while the machine sleeps, and never back. */
static int64_t boot_ms(void)
{
    return (int64_t)boottime_ms();
}

static int64_t now_of(const struct lease *lease)
{
    return storage_now(&lease->s3->storage);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Says that the process lives, and has seen a number. The store's time of the object counts. */
static int write_lease(struct lease *lease, uint64_t number, struct error *err)
{
    char text[TEXT_SIZE], id[RANDOM_UUID_SIZE];
    struct storage_step step = {.kind = STORAGE_PUT, .key = lease->key, .data = text};
    int r;

    random_uuid(id);
    step.size = (size_t)snprintf(text, sizeof(text), "%" PRIu64 " %s\n", number, id);
    r = s3_put(lease->s3, &step, err);
    if (r == 0)
        lease->told = number;
    return r;
}

/* Whether work on a doomed key is in progress. With the mutex held. */
static bool has_conflict(const struct lease *lease)
{
    int64_t now_s = now_of(lease);

    for (const struct lease_work *work = lease->works; work; work = work->next)
        for (size_t i = 0; i < work->count; i++)
            if (doom_has(&lease->doom, work->keys[i], now_s))
                return true;
    return false;
}

/* From now on no work begins on these keys. Returns whether work on one of them is in progress. */
static bool install(struct lease *lease, struct doom *doom)
{
    struct doom before;
    bool is_busy;

    pthread_mutex_lock(&lease->mutex);
    before = lease->doom;
    lease->doom = *doom;
    is_busy = has_conflict(lease);
    pthread_cond_broadcast(&lease->changed);
    pthread_mutex_unlock(&lease->mutex);
    doom_done(&before);
    *doom = (struct doom){0};
    return is_busy;
}

/* A lease that was written in time goes on. Otherwise it is another one, for others and for work. */
static void set_usable(struct lease *lease, int64_t written_ms)
{
    pthread_mutex_lock(&lease->mutex);
    if (written_ms >= lease->usable_until_ms)
        lease->generation++;
    lease->usable_until_ms = lease->renewed_ms + (LEASE_S - LEASE_DRIFT_S) * 1000;
    pthread_cond_broadcast(&lease->changed);
    pthread_mutex_unlock(&lease->mutex);
}

/*
 * Renews the lease, and then looks at the doomed keys: in this order, because a collector that
 * looked for leases before the lease was written has written its list before. Only after that look
 * the lease can be used. 0 or negative.
 */
static int look(struct lease *lease, struct error *err)
{
    int64_t now_ms = boot_ms(), written_ms;
    bool is_old = now_ms >= lease->renewed_ms + RENEW_MS, is_busy;
    struct doom doom = {0};
    uint64_t number;
    int r = is_old ? write_lease(lease, lease->told, err) : 0;

    written_ms = boot_ms();
    if (r == 0)
        r = doom_read(lease->s3, &doom, err);
    if (r < 0)
        return r;
    if (is_old)
        lease->renewed_ms = now_ms;
    number = doom.number;
    is_busy = install(lease, &doom);
    if (is_old)
        set_usable(lease, written_ms);
    /* This is no renewal: what was read last is older than it. */
    return number == lease->told || is_busy ? 0 : write_lease(lease, number, err);
}

/* Waits until the next look is due. Returns whether the thread must end. */
static bool rest(struct lease *lease)
{
    struct timespec end;
    bool is_ending;

    pthread_mutex_lock(&lease->mutex);
    end = condition_deadline(lease->waiters > 0 || has_conflict(lease) ? HURRY_MS : LOOK_MS);
    while (!lease->is_ending && !lease->is_woken &&
           pthread_cond_timedwait(&lease->changed, &lease->mutex, &end) == 0)
        ;
    lease->is_woken = false;
    is_ending = lease->is_ending;
    pthread_mutex_unlock(&lease->mutex);
    return is_ending;
}

static void note_problem(struct lease *lease, const struct error *err)
{
    pthread_mutex_lock(&lease->mutex);
    lease->problem = *err;
    pthread_cond_broadcast(&lease->changed);
    pthread_mutex_unlock(&lease->mutex);
}

static void *run(void *object)
{
    struct lease *lease = object;
    struct error err;

    do {
        if (look(lease, &err) < 0)
            note_problem(lease, &err);
    } while (!rest(lease));
    return NULL;
}

/* --- making and freeing ---------------------------------------------------------------------- */

struct lease *lease_new(struct s3 *s3)
{
    struct lease *lease = calloc(1, sizeof(*lease));
    char id[RANDOM_UUID_SIZE];

    if (!lease)
        return NULL;
    lease->s3 = s3;
    lease->renewed_ms = -RENEW_MS;
    random_uuid(id);
    snprintf(lease->key, sizeof(lease->key), SERVERS "%s", id);
    pthread_mutex_init(&lease->mutex, NULL);
    condition_init(&lease->changed);
    return lease;
}

void lease_free(struct lease *lease)
{
    struct error ignored;

    if (!lease)
        return;
    pthread_mutex_lock(&lease->mutex);
    lease->is_ending = true;
    pthread_cond_broadcast(&lease->changed);
    pthread_mutex_unlock(&lease->mutex);
    if (lease->has_thread) {
        pthread_join(lease->thread, NULL);
        (void)!s3_delete(lease->s3, lease->key, &ignored); /* otherwise it runs out */
    }
    doom_done(&lease->doom);
    pthread_cond_destroy(&lease->changed);
    pthread_mutex_destroy(&lease->mutex);
    free(lease);
}

/* With the mutex held. */
static int start_thread(struct lease *lease, struct error *err)
{
    int r;

    if (lease->has_thread)
        return 0;
    r = thread_start(&lease->thread, "s3-lease", run, lease);
    if (r < 0)
        return error_set_errno(err, -r, "cannot start a thread");
    lease->has_thread = true;
    return 0;
}

/* --- work ------------------------------------------------------------------------------------ */

static bool is_usable(const struct lease *lease)
{
    return boot_ms() < lease->usable_until_ms;
}

static bool is_doomed(const struct lease *lease, const struct lease_work *work)
{
    int64_t now_s = now_of(lease);

    for (size_t i = 0; i < work->count; i++)
        if (doom_has(&lease->doom, work->keys[i], now_s))
            return true;
    return false;
}

/* Waits for a change, with the mutex held. Returns whether the time is over, or that of requests. */
static bool wait_until(struct lease *lease, int64_t end_ms)
{
    int64_t last_ms = s3_client_get_end(lease->s3->client);
    int64_t rest_ms = (end_ms < last_ms ? end_ms : last_ms) - monotonic_ms();
    struct timespec end;

    if (rest_ms <= 0)
        return true;
    end = condition_deadline(rest_ms);
    return pthread_cond_timedwait(&lease->changed, &lease->mutex, &end) != 0;
}

static int wait_for_lease(struct lease *lease, struct error *err)
{
    int64_t end_ms = monotonic_ms() + FIRST_MS;
    int r = start_thread(lease, err);

    while (r == 0 && !is_usable(lease))
        if (s3_client_is_down(lease->s3->client) || wait_until(lease, end_ms))
            r = error_set(err, EHOSTDOWN, "this server has no lease in the bucket%s%s",
                          *lease->problem.text ? ": " : "", lease->problem.text);
    return r;
}

static int wait_for_collector(struct lease *lease, const struct lease_work *work,
                              unsigned patience_ms)
{
    int64_t end_ms = monotonic_ms() + patience_ms;
    int r = 0;

    lease->waiters++;
    while (r == 0 && is_doomed(lease, work))
        if (wait_until(lease, end_ms))
            r = STORAGE_WOULD_WAIT;
    lease->waiters--;
    return r;
}

int lease_begin(struct lease *lease, struct lease_work *work, unsigned patience_ms,
                struct error *err)
{
    int r;

    pthread_mutex_lock(&lease->mutex);
    r = wait_for_lease(lease, err);
    if (r == 0 && is_doomed(lease, work)) {
        lease->is_woken = true;
        pthread_cond_broadcast(&lease->changed);
        r = wait_for_collector(lease, work, patience_ms);
    }
    if (r == 0) {
        work->generation = lease->generation;
        work->next = lease->works;
        lease->works = work;
    }
    pthread_mutex_unlock(&lease->mutex);
    return r;
}

int lease_end(struct lease *lease, struct lease_work *work, struct error *err)
{
    struct lease_work **at = &lease->works;
    bool may_rely;

    pthread_mutex_lock(&lease->mutex);
    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
    may_rely = is_usable(lease) && work->generation == lease->generation;
    pthread_mutex_unlock(&lease->mutex);
    return may_rely ? 0
                    : error_set(err, EHOSTDOWN,
                                "the lease of this server in the bucket has run out meanwhile");
}

void lease_wake(struct lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    lease->is_woken = true;
    pthread_cond_broadcast(&lease->changed);
    pthread_mutex_unlock(&lease->mutex);
}

/* --- for a collector ------------------------------------------------------------------------- */

/* 0, STORAGE_NOT_FOUND or negative. */
static int read_lease(struct s3 *s3, const char *name, int64_t *ret_written_s,
                      uint64_t *ret_number, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    struct storage_object object;
    char key[KEY_SIZE];
    int r;

    snprintf(key, sizeof(key), SERVERS "%.64s", name);
    r = s3_get_dated(s3, key, TEXT_SIZE, &text, &object, ret_written_s, err);
    if (r != 0)
        return r;
    if (sscanf(text, "%" SCNu64, ret_number) != 1)
        return error_set(err, EBADMSG, "%s is not the lease of a server", key);
    return 0;
}

/* A look at all leases. */
struct look {
    struct s3 *s3;
    const struct storage_list *names;
    uint64_t number;
    lease_renew_function *renew;
    void *object;
};

/* 0 if the process has seen the number or has no lease any more, STORAGE_WOULD_WAIT or negative. */
static int look_at_lease(void *object, size_t i, struct error *err)
{
    const struct look *look = object;
    uint64_t seen = 0;
    int64_t written_s = 0;
    int r = look->renew(look->object, err);

    if (r == 0)
        r = read_lease(look->s3, look->names->entries[i]->name, &written_s, &seen, err);
    if (r != 0 || seen == look->number)
        return r < 0 ? r : 0;
    return storage_now(&look->s3->storage) <= written_s + LEASE_S + LEASE_DRIFT_S
               ? STORAGE_WOULD_WAIT
               : 0;
}

int lease_look_at_others(struct s3 *s3, uint64_t number, lease_renew_function *renew, void *object,
                         struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct look look = {
        .s3 = s3, .names = &list, .number = number, .renew = renew, .object = object};
    int r = s3_list(&s3->storage, SERVERS, NULL, SIZE_MAX, &list, err);

    return r == 0 ? s3_run_parallel(list.count, look_at_lease, &look, err) : r;
}

int lease_clean_up(struct s3 *s3, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = s3_list(&s3->storage, SERVERS, NULL, SIZE_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < list.count; i++) {
        uint64_t seen = 0;
        int64_t written_s = 0;
        char key[KEY_SIZE];

        r = read_lease(s3, list.entries[i]->name, &written_s, &seen, err);
        snprintf(key, sizeof(key), SERVERS "%.64s", list.entries[i]->name);
        if (r == 0 && storage_now(&s3->storage) > written_s + LONG_AGO_S)
            r = s3_delete(s3, key, err);
        r = r > 0 ? 0 : r;
    }
    return r;
}
