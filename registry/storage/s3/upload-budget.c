#include "registry/storage/s3/upload-budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/condition.h"
#include "common/macros.h"
#include "common/monotonic.h"
#include "common/thread.h"

enum { LOOK_MS = 250 }; /* between two looks for memory that nobody uses */

struct grants {
    struct upload_grant *first, **last;
};

struct upload_budget {
    unsigned silent_ms;
    upload_take_back *take_back;
    pthread_mutex_t mutex; /* protects the rest */
    pthread_cond_t changed;
    pthread_t thread; /* from when somebody waits for the first time on */
    bool has_thread;
    size_t total, used;
    struct grants line, holders;
    bool is_over;
};

struct upload_budget *upload_budget_new(size_t total, unsigned silent_ms,
                                        upload_take_back *take_back)
{
    struct upload_budget *budget = calloc(1, sizeof(*budget));

    if (!budget)
        return NULL;
    budget->silent_ms = silent_ms;
    budget->take_back = take_back;
    budget->total = total;
    budget->line.last = &budget->line.first;
    budget->holders.last = &budget->holders.first;
    pthread_mutex_init(&budget->mutex, NULL);
    condition_init(&budget->changed);
    return budget;
}

void upload_budget_free(struct upload_budget *budget)
{
    if (!budget)
        return;
    upload_budget_end(budget);
    if (budget->has_thread)
        pthread_join(budget->thread, NULL);
    pthread_cond_destroy(&budget->changed);
    pthread_mutex_destroy(&budget->mutex);
    free(budget);
}

/* --- called with the mutex held -------------------------------------------------------------- */

static void append(struct grants *grants, struct upload_grant *grant)
{
    grant->next = NULL;
    *grants->last = grant;
    grants->last = &grant->next;
}

static void take_out(struct grants *grants, const struct upload_grant *grant)
{
    struct upload_grant **place = &grants->first;

    while (*place && *place != grant)
        place = &(*place)->next;
    if (!*place)
        return;
    *place = grant->next;
    if (!grant->next)
        grants->last = place;
}

static bool fits(const struct upload_budget *budget, const struct upload_grant *grant)
{
    return budget->used == 0 || budget->used + grant->size <= budget->total;
}

static void grant_now(struct upload_budget *budget, struct upload_grant *grant)
{
    budget->used += grant->size;
    grant->is_granted = true;
    grant->since_ms = grant->used_ms = monotonic_ms();
    append(&budget->holders, grant);
}

static size_t count_of_owner(const struct upload_budget *budget, uint64_t owner)
{
    size_t count = 0;

    for (const struct upload_grant *grant = budget->holders.first; grant; grant = grant->next)
        count += grant->owner == owner ? grant->size : 0;
    return count;
}

/* Whose turn it is; NULL: nobody waits. */
static struct upload_grant *find_next(const struct upload_budget *budget)
{
    struct upload_grant *next = NULL;
    size_t least = SIZE_MAX;

    for (struct upload_grant *grant = budget->line.first; grant && least > 0; grant = grant->next) {
        size_t count = count_of_owner(budget, grant->owner);

        if (count >= least)
            continue;
        next = grant;
        least = count;
    }
    return next;
}

/* What to call for a grant that is told, after the mutex was released. */
struct notice {
    storage_ready *ready;
    void *object;
};

static struct notice take_notice(struct upload_grant *grant)
{
    struct notice notice = {grant->ready, grant->object};

    grant->ready = NULL;
    return notice;
}

/* Grants the next one, if there is room, and takes its notice. Returns whether it did. */
static bool grant_next(struct upload_budget *budget, struct notice *ret)
{
    struct upload_grant *grant = find_next(budget);

    if (!grant || !fits(budget, grant))
        return false;
    take_out(&budget->line, grant);
    grant_now(budget, grant);
    *ret = take_notice(grant);
    pthread_cond_broadcast(&budget->changed);
    return true;
}

/* The next one in the line that wants to be told of the end. */
static bool find_untold(struct upload_budget *budget, struct notice *ret)
{
    for (struct upload_grant *grant = budget->line.first; grant; grant = grant->next) {
        if (!grant->ready)
            continue;
        *ret = take_notice(grant);
        return true;
    }
    return false;
}

/* --- the thread ------------------------------------------------------------------------------ */

/* With the mutex held: memory that somebody waits for and nobody uses; NULL: there is none. */
static struct upload_grant *find_silent(const struct upload_budget *budget)
{
    int64_t now_ms = monotonic_ms();

    for (struct upload_grant *grant = budget->holders.first; grant && budget->line.first;
         grant = grant->next)
        if (grant->users == 0 && grant->is_held && now_ms - grant->used_ms >= budget->silent_ms)
            return grant;
    return NULL;
}

/* With the mutex held, except while the memory is taken back. */
static void take_back(struct upload_budget *budget, struct upload_grant *grant)
{
    grant->is_taken_back = true;
    pthread_mutex_unlock(&budget->mutex);
    budget->take_back(grant);
    pthread_mutex_lock(&budget->mutex);
    grant->is_taken_back = false;
    grant->used_ms = monotonic_ms();
    pthread_cond_broadcast(&budget->changed);
}

static void *run(void *object)
{
    struct upload_budget *budget = object;

    pthread_mutex_lock(&budget->mutex);
    while (!budget->is_over) {
        struct upload_grant *grant = find_silent(budget);

        if (grant) {
            take_back(budget, grant);
        } else if (budget->line.first) {
            struct timespec end = condition_deadline(LOOK_MS);

            pthread_cond_timedwait(&budget->changed, &budget->mutex, &end);
        } else {
            pthread_cond_wait(&budget->changed, &budget->mutex);
        }
    }
    pthread_mutex_unlock(&budget->mutex);
    return NULL;
}

/* With the mutex held. Without the thread, memory is given back only by those who use it. */
static void wake_thread(struct upload_budget *budget)
{
    if (budget->has_thread)
        pthread_cond_broadcast(&budget->changed);
    else
        budget->has_thread = thread_start(&budget->thread, "s3-uploads", run, budget) == 0;
}

void upload_budget_use(struct upload_budget *budget, struct upload_grant *grant)
{
    pthread_mutex_lock(&budget->mutex);
    while (grant->is_taken_back)
        pthread_cond_wait(&budget->changed, &budget->mutex);
    grant->users++;
    pthread_mutex_unlock(&budget->mutex);
}

bool upload_budget_try_use(struct upload_budget *budget, struct upload_grant *grant)
{
    bool is_free;

    pthread_mutex_lock(&budget->mutex);
    is_free = !grant->is_taken_back;
    grant->users += is_free;
    pthread_mutex_unlock(&budget->mutex);
    return is_free;
}

void upload_budget_unuse(struct upload_budget *budget, struct upload_grant *grant)
{
    pthread_mutex_lock(&budget->mutex);
    grant->users--;
    grant->used_ms = monotonic_ms();
    pthread_mutex_unlock(&budget->mutex);
}

/* --- asking and giving back ------------------------------------------------------------------ */

/* Tells those whom a function finds, one after the other. */
static void tell(struct upload_budget *budget,
                 bool (*find)(struct upload_budget *budget, struct notice *ret))
{
    bool is_found;

    do {
        struct notice notice = {0};

        pthread_mutex_lock(&budget->mutex);
        is_found = find(budget, &notice);
        pthread_mutex_unlock(&budget->mutex);
        if (notice.ready)
            notice.ready(notice.object);
    } while (is_found);
}

bool upload_budget_ask(struct upload_budget *budget, struct upload_grant *grant, size_t size)
{
    bool is_granted;

    pthread_mutex_lock(&budget->mutex);
    if (grant->size == 0) {
        grant->size = size;
        if (!budget->line.first && fits(budget, grant)) {
            grant_now(budget, grant);
        } else {
            append(&budget->line, grant);
            wake_thread(budget);
        }
    }
    is_granted = grant->is_granted;
    pthread_mutex_unlock(&budget->mutex);
    grant->is_held = is_granted;
    return is_granted;
}

bool upload_budget_notify(struct upload_budget *budget, struct upload_grant *grant,
                          storage_ready *ready, void *object)
{
    bool must_wait;

    pthread_mutex_lock(&budget->mutex);
    must_wait = grant->size > 0 && !grant->is_granted && !budget->is_over;
    if (must_wait) {
        grant->ready = ready;
        grant->object = object;
    }
    pthread_mutex_unlock(&budget->mutex);
    return must_wait;
}

bool upload_budget_wait(struct upload_budget *budget, struct upload_grant *grant)
{
    bool is_granted;

    pthread_mutex_lock(&budget->mutex);
    while (!grant->is_granted && !budget->is_over)
        pthread_cond_wait(&budget->changed, &budget->mutex);
    is_granted = grant->is_granted;
    pthread_mutex_unlock(&budget->mutex);
    grant->is_held = is_granted;
    return is_granted;
}

void upload_budget_shrink(struct upload_budget *budget, struct upload_grant *grant, size_t size)
{
    if (grant->size <= size)
        return;
    pthread_mutex_lock(&budget->mutex);
    if (grant->is_granted)
        budget->used -= grant->size - size;
    if (!grant->is_granted || size == 0) {
        take_out(grant->is_granted ? &budget->holders : &budget->line, grant);
        grant->is_granted = grant->is_held = false;
        grant->ready = NULL;
        size = 0;
    }
    grant->size = size;
    pthread_mutex_unlock(&budget->mutex);
    tell(budget, grant_next);
}

bool upload_budget_is_short(struct upload_budget *budget)
{
    bool is_short;

    pthread_mutex_lock(&budget->mutex);
    is_short = budget->line.first;
    pthread_mutex_unlock(&budget->mutex);
    return is_short;
}

size_t upload_budget_count(struct upload_budget *budget)
{
    size_t used;

    pthread_mutex_lock(&budget->mutex);
    used = budget->used;
    pthread_mutex_unlock(&budget->mutex);
    return used;
}

void upload_budget_end(struct upload_budget *budget)
{
    pthread_mutex_lock(&budget->mutex);
    budget->is_over = true;
    pthread_cond_broadcast(&budget->changed);
    pthread_mutex_unlock(&budget->mutex);
    tell(budget, find_untold);
}
