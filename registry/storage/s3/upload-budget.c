#include "registry/storage/s3/upload-budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/macros.h"
#include "common/monotonic.h"

struct upload_budget {
    pthread_mutex_t mutex; /* protects the rest */
    pthread_cond_t changed;
    size_t total, used;
    struct upload_grant *first, **last; /* those who wait */
    bool is_over;
};

struct upload_budget *upload_budget_new(size_t total)
{
    struct upload_budget *budget = calloc(1, sizeof(*budget));

    if (!budget)
        return NULL;
    budget->total = total;
    budget->last = &budget->first;
    pthread_mutex_init(&budget->mutex, NULL);
    pthread_cond_init(&budget->changed, NULL);
    return budget;
}

void upload_budget_free(struct upload_budget *budget)
{
    if (!budget)
        return;
    pthread_cond_destroy(&budget->changed);
    pthread_mutex_destroy(&budget->mutex);
    free(budget);
}

/* --- called with the mutex held -------------------------------------------------------------- */

static bool fits(const struct upload_budget *budget, const struct upload_grant *grant)
{
    return budget->used == 0 || budget->used + grant->size <= budget->total;
}

static void grant_now(struct upload_budget *budget, struct upload_grant *grant)
{
    budget->used += grant->size;
    grant->is_granted = true;
    grant->since_ms = monotonic_ms();
}

static void append(struct upload_budget *budget, struct upload_grant *grant)
{
    grant->next = NULL;
    *budget->last = grant;
    budget->last = &grant->next;
}

static void leave_line(struct upload_budget *budget, const struct upload_grant *grant)
{
    struct upload_grant **place = &budget->first;

    while (*place && *place != grant)
        place = &(*place)->next;
    if (!*place)
        return;
    *place = grant->next;
    if (!grant->next)
        budget->last = place;
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

/* Grants the first of the line, if there is room, and takes its notice. Returns whether it did. */
static bool grant_first(struct upload_budget *budget, struct notice *ret)
{
    struct upload_grant *grant = budget->first;

    if (!grant || !fits(budget, grant))
        return false;
    leave_line(budget, grant);
    grant_now(budget, grant);
    *ret = take_notice(grant);
    pthread_cond_broadcast(&budget->changed);
    return true;
}

/* The next one in the line that wants to be told of the end. */
static bool find_untold(struct upload_budget *budget, struct notice *ret)
{
    for (struct upload_grant *grant = budget->first; grant; grant = grant->next) {
        if (!grant->ready)
            continue;
        *ret = take_notice(grant);
        return true;
    }
    return false;
}

/* --- public functions ------------------------------------------------------------------------ */

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
        if (!budget->first && fits(budget, grant))
            grant_now(budget, grant);
        else
            append(budget, grant);
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
    else
        leave_line(budget, grant);
    if (grant->is_granted && size > 0)
        grant->size = size;
    else
        *grant = (struct upload_grant){0};
    pthread_mutex_unlock(&budget->mutex);
    tell(budget, grant_first);
}

bool upload_budget_is_short(struct upload_budget *budget)
{
    bool is_short;

    pthread_mutex_lock(&budget->mutex);
    is_short = budget->first;
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
