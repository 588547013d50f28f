/*
 * Runs garbage collection, purges uploads, counts quotas and writes the records of pulls and of
 * growth in a background thread. The record registryd/maintenance/last says when the last collection began and how it ended, so that
 * all servers share one schedule, which survives restarts. The server that collects holds the lease
 * registryd/maintenance/lease. If it dies, the lease expires after two minutes, and a server starts
 * the collection again.
 */
#include "registry/cli/serve/maintenance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/condition.h"
#include "common/monotonic.h"
#include "common/words.h"
#include "registry/cli/progress-line.h"
#include "registry/cli/serve/quotas.h"
#include "registry/cli/space.h"
#include "registry/core/records.h"
#include "registry/runtime/log.h"

enum {
    LOOK_S = 5,
    FLUSH_MS = 60 * 1000,
    RETRY_S = 60 * 60, /* after a failure */
    RECOUNT_S = 24 * 60 * 60,
    WORK_MS =
        20, /* then it rests for the same time, so that it uses the disk at most half of the time */
    NICENESS = 10,
    STACK_SIZE = 512 << 10,
};

#define LAST "maintenance/last"
#define LEASE "maintenance/lease"

/* --- resting and stopping ---------------------------------------------------------------- */

/* Waits for ms, or until the server is being stopped. Returns whether it is. */
static bool rest(struct maintenance *m, int64_t ms)
{
    struct timespec end = condition_deadline(ms);
    bool is_stopping;

    pthread_mutex_lock(&m->lock);
    while (!m->is_stopping && pthread_cond_timedwait(&m->changed, &m->lock, &end) == 0)
        ;
    is_stopping = m->is_stopping;
    pthread_mutex_unlock(&m->lock);
    return is_stopping;
}

static bool is_stopping(struct maintenance *m)
{
    bool answer;

    pthread_mutex_lock(&m->lock);
    answer = m->is_stopping;
    pthread_mutex_unlock(&m->lock);
    return answer;
}

bool maintenance_is_in_window(unsigned minute, unsigned first, unsigned end)
{
    if (first == end)
        return true;
    return first < end ? minute >= first && minute < end : minute >= first || minute < end;
}

static bool is_in_window(const struct maintenance *m)
{
    const struct settings_collection *settings = &m->settings->collection;
    time_t now = time(NULL);
    struct tm tm;

    if (!localtime_r(&now, &tm))
        return true;
    return maintenance_is_in_window((unsigned)(tm.tm_hour * 60 + tm.tm_min), settings->window_first,
                                    settings->window_end);
}

/* Called between two steps of a collection. */
static int pace(void *object, struct error *err)
{
    struct maintenance *m = object;
    int64_t worked_ms = monotonic_ms() - m->work_began_ms;
    int r;

    if (worked_ms < WORK_MS)
        return is_stopping(m) ? error_set(err, ECANCELED, "the server is being stopped") : 0;
    if (rest(m, worked_ms))
        return error_set(err, ECANCELED, "the server is being stopped");
    m->work_began_ms = monotonic_ms();
    if (!is_in_window(m))
        return error_set(err, ECANCELED, "storage.maintenance.garbagecollect.window has ended");
    r = lease_renew(&m->lease, err);
    return r <= 0 ? r : error_set(err, ECANCELED, "another server has taken over");
}

/* --- one run ----------------------------------------------------------------------------- */

static void log_line(void *object, const char *line)
{
    (void)object;
    log_info("garbage collection: %s", line);
}

static void log_progress(const char *text)
{
    log_info("garbage collection: %s", text);
}

static void log_count(const char *text)
{
    log_info("counting a quota: %s", text);
}

static void add(uint64_t *counter, uint64_t more)
{
    __atomic_add_fetch(counter, more, __ATOMIC_RELAXED);
}

static void report(struct maintenance *m, const struct space_result *result, int64_t duration_ms)
{
    char bytes[WORDS_SIZE_MAX], duration[WORDS_SIZE_MAX];

    if (!m->settings->collection.is_dry_run) {
        add(&m->counters.tags, result->tags);
        add(&m->counters.blobs, result->blobs);
        add(&m->counters.bytes, result->bytes);
    }
    log_info("garbage collection: %s %zu %s, %zu %s and %zu %s, %s, in %s",
             m->settings->collection.is_dry_run ? "would have removed" : "removed", result->tags,
             words_plural(result->tags, "tag", "tags"), result->manifests,
             words_plural(result->manifests, "manifest", "manifests"), result->blobs,
             words_plural(result->blobs, "blob", "blobs"), words_bytes(result->bytes, bytes),
             words_duration((uint64_t)(duration_ms + 999) / 1000, duration));
}

/* Returns the current rules, even if no request has arrived since the file changed. */
static struct rules *get_rules(struct maintenance *m)
{
    if (!m->access_file)
        return NULL;
    watched_table_refresh(m->access_file);
    return access_file_get_rules(m->access_file);
}

static int collect(struct maintenance *m, struct error *err)
{
    const struct settings_collection *settings = &m->settings->collection;
    CLEANUP(rules_unrefp) struct rules *rules = get_rules(m);
    struct progress_line line = {.print = log_progress, .columns = PROGRESS_COLUMNS_MAX};
    const struct space_options options = {
        .rules = rules,
        .is_dry_run = settings->is_dry_run,
        .does_untag = settings->does_untag,
        .grace_s = (settings->grace_ms + 999) / 1000,
        .tell = log_line,
        .pace = pace,
        .object = m,
        .progress = progress_line_show,
        .progress_object = &line,
    };
    struct space_result result = {0};
    int64_t began_ms = monotonic_ms();
    int r;

    log_info("garbage collection: started");
    m->work_began_ms = began_ms;
    r = space_run(m->store, &options, &result, err);
    if (r == 0)
        report(m, &result, monotonic_ms() - began_ms);
    return r;
}

/*
 * Not called for a run that was stopped early. The record then still contains the previous run, so
 * the collection is due again.
 */
static void note_end(struct maintenance *m, int64_t began_s, bool has_failed)
{
    struct error err;
    char text[64];

    snprintf(text, sizeof(text), "%" PRId64 " %s\n", began_s, has_failed ? "failed" : "done");
    if (store_note_record(m->store, LAST, text, &err) < 0)
        log_warn("garbage collection: cannot record when it was done: %s", err.text);
}

static void run(struct maintenance *m)
{
    struct error err = {0};
    int64_t began_s = time(NULL);
    int r = collect(m, &err);

    if (r == -ECANCELED) {
        log_info("garbage collection: stopped early, because %s", err.text);
        return;
    }
    add(r < 0 ? &m->counters.failures : &m->counters.runs, 1);
    if (r < 0)
        log_error("garbage collection failed: %s", err.text);
    note_end(m, began_s, r < 0);
}

/* --- when -------------------------------------------------------------------------------- */

static bool is_due(struct maintenance *m)
{
    int64_t interval_s = (int64_t)(m->settings->collection.interval_ms / 1000), began_s,
            now_s = time(NULL);
    CLEANUP_FREE char *text = NULL;
    struct error err;
    char end[16];

    if (store_read_record(m->store, LAST, &text, &err) != 0 ||
        sscanf(text, "%" SCNd64 " %15s", &began_s, end) != 2)
        return true;
    if (end[0] == 'f' && interval_s > RETRY_S)
        interval_s = RETRY_S;
    /* The start of the last run is in the future if the clock was wrong. */
    return now_s >= began_s + interval_s || now_s < began_s;
}

static void run_if_due(struct maintenance *m)
{
    struct error err = {0};
    int r;

    if (!m->settings->collection.is_enabled || m->settings->is_read_only || !is_in_window(m) ||
        !is_due(m))
        return;
    r = lease_take(m->store, LEASE, &m->lease, &err);
    if (r < 0)
        log_error("garbage collection: cannot take the lease: %s", err.text);
    if (r != 0)
        return;
    if (is_due(m)) /* another server may have collected before we took the lease */
        run(m);
    lease_release(&m->lease);
}

/* --- pulls -------------------------------------------------------------------------------- */

static void record_pulls(struct maintenance *m)
{
    struct error err = {0};

    if (m->pulls && !m->settings->is_read_only &&
        pull_log_flush(m->pulls, m->store, &err) < 0)
        log_warn("cannot record what was pulled: %s", err.text);
}

/* --- quotas ------------------------------------------------------------------------------- */

/* Called between two steps of work that needs no lease. */
static int pace_without_lease(void *object, struct error *err)
{
    struct maintenance *m = object;
    int64_t worked_ms = monotonic_ms() - m->work_began_ms;

    if (worked_ms < WORK_MS ? is_stopping(m) : rest(m, worked_ms))
        return error_set(err, ECANCELED, "the server is being stopped");
    if (worked_ms >= WORK_MS)
        m->work_began_ms = monotonic_ms();
    return 0;
}

/* A count is due after a start, a collection and a change of the patterns, and once a day. */
static bool is_count_due(const struct maintenance *m, const struct store_quota *quota)
{
    int64_t counted_s = store_find_counted(m->store, quota->id);

    return counted_s <= m->started_s || counted_s <= store_find_collected(m->store) ||
           counted_s + RECOUNT_S < time(NULL);
}

static int count_quota(struct maintenance *m, const struct store_quota *quota)
{
    struct progress_line line = {.print = log_count, .columns = PROGRESS_COLUMNS_MAX};
    char used[WORDS_SIZE_MAX], limit[WORDS_SIZE_MAX];
    struct error err = {0};
    uint64_t bytes;
    int r;

    m->work_began_ms = monotonic_ms();
    r = store_recount(m->store, quota,
                      &(struct recount_options){.pace = pace_without_lease,
                                                .object = m,
                                                .progress = progress_line_show,
                                                .progress_object = &line},
                      &bytes, &err);
    if (r == 0)
        log_info("quota of %s: %s of %s in use", quota->label, words_bytes(bytes, used),
                 words_bytes(quota->limit, limit));
    else if (r != -ECANCELED)
        log_error("cannot count the quota of %s: %s", quota->label, err.text);
    return r;
}

static void count_quotas(struct maintenance *m)
{
    CLEANUP_FREE struct store_quota *quotas = NULL;
    size_t count = 0;

    if (!m->access_file || m->settings->is_read_only || monotonic_ms() < m->next_count_ms)
        return;
    watched_table_refresh(m->access_file);
    if (quotas_list(m->access_file, &quotas, &count) < 0)
        return;
    for (size_t i = 0; i < count && !is_stopping(m); i++)
        if (is_count_due(m, &quotas[i]) && count_quota(m, &quotas[i]) < 0)
            m->next_count_ms = monotonic_ms() + FLUSH_MS;
}

/* --- identity tokens ---------------------------------------------------------------------- */

static void prune_tokens(struct maintenance *m)
{
    struct error err = {0};
    size_t count = 0;
    int r;

    if (!m->tokens || m->settings->is_read_only ||
        !identity_pruning_is_due(&m->pruning, time(NULL), (int64_t)boottime_ms()))
        return;
    m->work_began_ms = monotonic_ms();
    r = identity_pruning_run(&m->pruning, m->tokens, pace_without_lease, m, &count, &err);
    if (r < 0 && r != -ECANCELED)
        log_error("cannot remove the records of unused identity tokens: %s", err.text);
    if (count > 0)
        log_info("%zu %s of unused identity tokens removed", count,
                 words_plural(count, "record", "records"));
}

static void record_growth(struct maintenance *m)
{
    m->work_began_ms = monotonic_ms();
    growth_recording_run(&m->growth, pace_without_lease, m);
}

/* Waits until no request can add a pull any more. */
static void wait_for_last_pull(struct maintenance *m)
{
    pthread_mutex_lock(&m->lock);
    while (!m->has_last_pull)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

static void *maintain(void *object)
{
    struct maintenance *m = object;

    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICENESS);
    do {
        if (monotonic_ms() >= m->next_flush_ms) {
            record_pulls(m);
            m->next_flush_ms = monotonic_ms() + FLUSH_MS;
        }
        upload_purging_run(&m->purging);
        run_if_due(m);
        count_quotas(m);
        prune_tokens(m);
        record_growth(m);
    } while (!rest(m, LOOK_S * 1000));
    record_pulls(m); /* all but the last ones, while the storage has the most time */
    wait_for_last_pull(m);
    record_pulls(m);
    return NULL;
}

/* --- the thread -------------------------------------------------------------------------- */

void maintenance_prepare(void)
{
    tzset();
}

int maintenance_start(struct maintenance *m, struct error *err)
{
    pthread_attr_t attributes;
    int r;

    if (!m->settings->collection.is_enabled && !m->settings->upload_purging.is_enabled &&
        !m->pulls && !m->tokens)
        return 0;
    m->started_s = time(NULL);
    m->purging = (struct upload_purging){
        .settings = m->settings, .store = m->store, .next = m->started_s + LOOK_S};
    identity_pruning_start(&m->pruning, m->started_s, (int64_t)boottime_ms());
    growth_recording_start(&m->growth);
    pthread_mutex_init(&m->lock, NULL);
    condition_init(&m->changed);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    r = pthread_create(&m->thread, &attributes, maintain, m);
    pthread_attr_destroy(&attributes);
    if (r != 0)
        return error_set_errno(err, r, "cannot start a thread");
    m->is_running = true;
    pthread_setname_np(m->thread, "maintenance");
    return 0;
}

void maintenance_end_run(struct maintenance *m)
{
    if (!m->is_running)
        return;
    pthread_mutex_lock(&m->lock);
    m->is_stopping = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

void maintenance_stop(struct maintenance *m)
{
    if (!m->is_running)
        return;
    pthread_mutex_lock(&m->lock);
    m->has_last_pull = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    m->is_running = false;
}
