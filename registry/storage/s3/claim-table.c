/*
 * The table of claims of this server, and the thread that gives back lines that nobody uses.
 */
#include "registry/storage/s3/claim-table.h"

#include <stdlib.h>
#include <string.h>

#include "common/condition.h"
#include "common/thread.h"
#include "registry/storage/s3/claim-table-private.h"
#include "registry/storage/s3/claim-wishes.h"
#include "registry/storage/s3/parallel.h"

enum {
    KEEP_S = 10,    /* after the last sharer, */
    KEEP_END_S = 5, /* but not in the last seconds of the lease */
    UNKEPT_S = 60,  /* after others waited for a line, it is given back at once */
    LOOK_MS = 1000, /* between two looks at what others wait for */
    TOGETHER_MAX = 64,
};

static int64_t now_of(const struct claims *claims)
{
    return storage_now(&claims->s3->storage);
}

/* --- lines ----------------------------------------------------------------------------------- */

void claims_note_wish(struct claims *claims, struct claim_entry *entry)
{
    entry->is_wanted = entry->state != LINE_NONE;
    entry->unkept_until_s = now_of(claims) + UNKEPT_S;
}

void claims_end_line(struct claims *claims, struct claim_entry *entry)
{
    entry->state = LINE_NONE;
    entry->generation++;
    entry->sharers = 0;
    entry->is_wanted = false;
    claims->lines--;
    pthread_cond_broadcast(&claims->changed);
}

bool claims_is_idle(const struct claim_entry *entry)
{
    return entry->state == LINE_HELD && entry->sharers == 0 && entry->waiting_alone == 0;
}

/* --- entries --------------------------------------------------------------------------------- */

/* With the mutex held. */
static bool is_in_use(const struct claims *claims, const struct claim_entry *entry)
{
    return entry->references > 0 || entry->state != LINE_NONE ||
           entry->unkept_until_s > now_of(claims);
}

static void free_unused(struct claims *claims)
{
    for (struct claim_entry **at = &claims->entries; *at;) {
        struct claim_entry *entry = *at;

        if (is_in_use(claims, entry)) {
            at = &entry->next;
        } else {
            *at = entry->next;
            free(entry);
        }
    }
}

static struct claim_entry *find(struct claims *claims, const char *key)
{
    struct claim_entry *entry = claims->entries;

    while (entry && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}

struct claim_entry *claims_find(struct claims *claims, const char *key)
{
    struct claim_entry *entry;

    pthread_mutex_lock(&claims->mutex);
    entry = find(claims, key);
    if (!entry && (entry = calloc(1, sizeof(*entry) + strlen(key) + 1))) {
        memcpy(entry->key, key, strlen(key) + 1);
        entry->next = claims->entries;
        claims->entries = entry;
    }
    if (entry)
        entry->references++;
    pthread_mutex_unlock(&claims->mutex);
    return entry;
}

void claims_drop(struct claims *claims, struct claim_entry *entry)
{
    pthread_mutex_lock(&claims->mutex);
    if (--entry->references == 0 && !is_in_use(claims, entry))
        free_unused(claims);
    pthread_mutex_unlock(&claims->mutex);
}

/* --- giving back what is kept ---------------------------------------------------------------- */

/* Lines that are given back, several at a time. */
struct giving {
    struct s3 *s3;
    struct claim_entry *entries[TOGETHER_MAX];
    size_t count;
};

static int leave_one(void *object, size_t number, struct error *err)
{
    const struct giving *giving = object;
    struct claim_entry *entry = giving->entries[number];

    (void)err;
    claim_line_leave(giving->s3, entry->key, &entry->line);
    return 0;
}

static bool is_due(const struct claims *claims, const struct claim_entry *entry)
{
    int64_t now_s = now_of(claims);

    return claims->is_ending || entry->is_wanted || now_s >= entry->used_s + KEEP_S ||
           now_s >= entry->line.until_s - KEEP_END_S;
}

/* With the mutex held, except during the requests. Returns whether more may be due. */
static bool give_due_lines_back(struct claims *claims)
{
    struct giving giving = {.s3 = claims->s3};
    struct error ignored;

    for (struct claim_entry *entry = claims->entries; entry; entry = entry->next) {
        if (giving.count == TOGETHER_MAX || !claims_is_idle(entry) || !is_due(claims, entry))
            continue;
        entry->state = LINE_CHANGING;
        entry->references++;
        giving.entries[giving.count++] = entry;
    }
    pthread_mutex_unlock(&claims->mutex);
    (void)!s3_run_parallel(giving.count, leave_one, &giving, &ignored);
    pthread_mutex_lock(&claims->mutex);
    for (size_t i = 0; i < giving.count; i++) {
        giving.entries[i]->references--;
        claims_end_line(claims, giving.entries[i]);
    }
    return giving.count == TOGETHER_MAX;
}

/* With the mutex held, except during the request. */
static void look_at_wishes(struct claims *claims)
{
    CLEANUP(claim_wishes_done) struct claim_wishes wishes = {0};
    int64_t now_s = now_of(claims);
    struct error ignored;

    pthread_mutex_unlock(&claims->mutex);
    (void)!claim_wishes_read(claims->s3, &wishes, &ignored); /* otherwise they wait longer */
    pthread_mutex_lock(&claims->mutex);
    for (struct claim_entry *entry = claims->entries; entry; entry = entry->next)
        if (entry->state != LINE_NONE && claim_wishes_has(&wishes, entry->key, now_s))
            claims_note_wish(claims, entry);
}

/* With the mutex held. Returns whether the thread goes on. */
static bool rest(struct claims *claims)
{
    struct timespec end;

    while (claims->lines == 0 && !claims->is_ending)
        pthread_cond_wait(&claims->keeper, &claims->mutex);
    end = condition_deadline(LOOK_MS);
    while (!claims->is_ending && pthread_cond_timedwait(&claims->keeper, &claims->mutex, &end) == 0)
        ;
    return !claims->is_ending;
}

static void *keep(void *object)
{
    struct claims *claims = object;

    pthread_mutex_lock(&claims->mutex);
    while (rest(claims)) {
        if (claims->lines > 0)
            look_at_wishes(claims);
        while (give_due_lines_back(claims))
            ;
        free_unused(claims);
    }
    pthread_mutex_unlock(&claims->mutex);
    return NULL;
}

void claims_start_thread(struct claims *claims)
{
    if (!claims->has_thread)
        claims->has_thread = thread_start(&claims->thread, "s3-claims", keep, claims) == 0;
}

/* --- making and freeing ---------------------------------------------------------------------- */

struct claims *claims_new(struct s3 *s3)
{
    struct claims *claims = calloc(1, sizeof(*claims));

    if (!claims)
        return NULL;
    claims->s3 = s3;
    pthread_mutex_init(&claims->mutex, NULL);
    condition_init(&claims->changed);
    condition_init(&claims->keeper);
    return claims;
}

void claims_free(struct claims *claims)
{
    if (!claims)
        return;
    pthread_mutex_lock(&claims->mutex);
    claims->is_ending = true;
    pthread_cond_signal(&claims->keeper);
    pthread_mutex_unlock(&claims->mutex);
    if (claims->has_thread)
        pthread_join(claims->thread, NULL);
    pthread_mutex_lock(&claims->mutex);
    while (give_due_lines_back(claims))
        ;
    pthread_mutex_unlock(&claims->mutex);
    for (struct claim_entry *entry = claims->entries, *next; entry; entry = next) {
        next = entry->next;
        free(entry);
    }
    pthread_cond_destroy(&claims->keeper);
    pthread_cond_destroy(&claims->changed);
    pthread_mutex_destroy(&claims->mutex);
    free(claims);
}
