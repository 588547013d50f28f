/*
 * The shared line of this server: its requests join it, one of them takes or renews it, and one
 * that wants to be alone takes it over.
 */
#include "common/condition.h"
#include "common/monotonic.h"
#include "registry/storage/s3/claim-table-private.h"

enum { ASK_MIN_MS = 20, ASK_MAX_MS = 320 };

/* --- the line, with the mutex held, except during requests ----------------------------------- */

/* 0, STORAGE_WOULD_WAIT or negative. */
static int take_line(struct claims *claims, struct claim_entry *entry, struct error *err)
{
    struct claim_line line = claim_line_new(STORAGE_SHARED);
    struct claim_obstacle obstacle = {0};
    int r;

    entry->state = LINE_CHANGING;
    pthread_mutex_unlock(&claims->mutex);
    do
        r = claim_line_take(claims->s3, entry->key, &line, false, &obstacle, err);
    while (r == STORAGE_CONFLICT);
    if (r < 0)
        claim_line_leave(claims->s3, entry->key, &line); /* the write may have been made */
    pthread_mutex_lock(&claims->mutex);
    entry->state = r == 0 ? LINE_HELD : LINE_NONE;
    entry->line = line;
    entry->ask_ms = r == 0 || entry->ask_ms == 0 ? ASK_MIN_MS : entry->ask_ms * 2;
    if (entry->ask_ms > ASK_MAX_MS)
        entry->ask_ms = ASK_MAX_MS;
    entry->ask_after_ms = r == 0 ? 0 : monotonic_ms() + entry->ask_ms;
    if (r == 0 && claims->lines++ == 0)
        pthread_cond_signal(&claims->keeper);
    if (obstacle.is_wanted)
        claims_note_wish(claims, entry);
    pthread_cond_broadcast(&claims->changed);
    return r;
}

/* 0, STORAGE_CLAIM_LOST or negative. */
static int renew_line(struct claims *claims, struct claim_entry *entry, struct error *err)
{
    struct claim_line line = entry->line;
    bool is_wanted = false;
    int r;

    entry->state = LINE_CHANGING;
    pthread_mutex_unlock(&claims->mutex);
    r = claim_line_renew(claims->s3, entry->key, &line, &is_wanted, err);
    pthread_mutex_lock(&claims->mutex);
    entry->line = line;
    entry->state = LINE_HELD;
    if (r == STORAGE_CLAIM_LOST)
        claims_end_line(claims, entry);
    else if (is_wanted)
        claims_note_wish(claims, entry);
    pthread_cond_broadcast(&claims->changed);
    return r;
}

static void give_line_back(struct claims *claims, struct claim_entry *entry)
{
    entry->state = LINE_CHANGING;
    pthread_mutex_unlock(&claims->mutex);
    claim_line_leave(claims->s3, entry->key, &entry->line);
    pthread_mutex_lock(&claims->mutex);
    claims_end_line(claims, entry);
}

/* --- sharers --------------------------------------------------------------------------------- */

/* 0, STORAGE_WOULD_WAIT, STORAGE_CONFLICT (something has changed: look again) or negative. */
static int try_to_share(struct claims *claims, struct claim_entry *entry, bool may_ask,
                        struct error *err)
{
    int r;

    if (entry->state == LINE_CHANGING || entry->is_alone || entry->waiting_alone > 0 ||
        (entry->is_wanted && entry->sharers > 0) || (entry->state == LINE_NONE && !may_ask))
        return STORAGE_WOULD_WAIT;
    if (entry->is_wanted) {
        give_line_back(claims, entry);
        return STORAGE_CONFLICT;
    }
    if (entry->state == LINE_HELD && claim_line_is_fresh(claims->s3, &entry->line)) {
        entry->sharers++;
        return 0;
    }
    r = entry->state == LINE_HELD ? renew_line(claims, entry, err) : take_line(claims, entry, err);
    return r == 0 || r == STORAGE_CLAIM_LOST ? STORAGE_CONFLICT : r;
}

/*
 * Waits for a change. One that a thread is making takes as long as our own would, so it is waited
 * for in any case. Returns whether the time is over.
 */
static bool wait_for_change(struct claims *claims, const struct claim_entry *entry, int64_t end_ms)
{
    int64_t now_ms = monotonic_ms();
    struct timespec end;

    if (entry->state == LINE_CHANGING) {
        pthread_cond_wait(&claims->changed, &claims->mutex);
        return false;
    }
    if (now_ms >= end_ms)
        return true;
    if (entry->state == LINE_NONE && entry->ask_after_ms > now_ms && entry->ask_after_ms < end_ms)
        end_ms = entry->ask_after_ms;
    end = condition_deadline(end_ms - now_ms);
    pthread_cond_timedwait(&claims->changed, &claims->mutex, &end);
    return false;
}

int claims_share(struct claims *claims, struct claim_entry *entry, int64_t end_ms,
                 uint64_t *ret_generation, struct error *err)
{
    bool is_first = true;
    int r;

    pthread_mutex_lock(&claims->mutex);
    claims_start_thread(claims);
    for (;;) {
        r = try_to_share(claims, entry, is_first || monotonic_ms() >= entry->ask_after_ms, err);
        is_first = is_first && r != STORAGE_WOULD_WAIT;
        if (r <= 0 || (r == STORAGE_WOULD_WAIT && wait_for_change(claims, entry, end_ms)))
            break;
    }
    *ret_generation = entry->generation;
    pthread_mutex_unlock(&claims->mutex);
    return r;
}

int claims_check(struct claims *claims, struct claim_entry *entry, uint64_t generation,
                 struct error *err)
{
    int r = STORAGE_CLAIM_LOST;

    pthread_mutex_lock(&claims->mutex);
    while (entry->generation == generation) {
        if (claim_line_is_fresh(claims->s3, &entry->line))
            r = 0;
        else if (entry->state != LINE_CHANGING)
            r = renew_line(claims, entry, err);
        else
            pthread_cond_wait(&claims->changed, &claims->mutex);
        if (r <= 0)
            break;
    }
    pthread_mutex_unlock(&claims->mutex);
    return r;
}

static bool may_keep(const struct claims *claims, const struct claim_entry *entry)
{
    return claims->has_thread && !claims->is_ending && !entry->is_wanted &&
           claims->lines <= CLAIMS_KEPT_MAX &&
           entry->unkept_until_s <= storage_now(&claims->s3->storage);
}

void claims_leave(struct claims *claims, struct claim_entry *entry, uint64_t generation)
{
    pthread_mutex_lock(&claims->mutex);
    if (entry->generation == generation) {
        entry->sharers--;
        entry->used_s = storage_now(&claims->s3->storage);
        if (claims_is_idle(entry) && !may_keep(claims, entry))
            give_line_back(claims, entry);
        pthread_cond_broadcast(&claims->changed);
    }
    pthread_mutex_unlock(&claims->mutex);
}

/* --- a request that wants to be alone -------------------------------------------------------- */

int claims_begin_alone(struct claims *claims, struct claim_entry *entry, int64_t end_ms,
                       struct claim_line *ret, bool *ret_is_there)
{
    bool is_over = false;

    pthread_mutex_lock(&claims->mutex);
    entry->waiting_alone++;
    while (!is_over && (entry->is_alone || entry->sharers > 0 || entry->state == LINE_CHANGING))
        is_over = wait_for_change(claims, entry, end_ms);
    entry->waiting_alone--;
    if (!is_over) {
        entry->is_alone = true;
        *ret_is_there = entry->state == LINE_HELD;
        *ret = *ret_is_there ? entry->line : claim_line_new(STORAGE_EXCLUSIVE);
        ret->mode = STORAGE_EXCLUSIVE;
        if (*ret_is_there)
            claims_end_line(claims, entry);
    }
    pthread_cond_broadcast(&claims->changed);
    pthread_mutex_unlock(&claims->mutex);
    return is_over ? STORAGE_WOULD_WAIT : 0;
}

void claims_end_alone(struct claims *claims, struct claim_entry *entry)
{
    pthread_mutex_lock(&claims->mutex);
    entry->is_alone = false;
    pthread_cond_broadcast(&claims->changed);
    pthread_mutex_unlock(&claims->mutex);
}
