#include "registry/core/search-progress.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/condition.h"
#include "common/macros.h"

enum { MOST_NAMES = 20000 };

struct search {
    enum search_state state; /* SEARCH_MINE: no thread searches now */
    struct search_position position;
    char name[];
};

struct search_progress {
    pthread_mutex_t mutex; /* protects everything below */
    pthread_cond_t has_ended; /* a thread has ended its part of a search */
    void *tree;            /* of searches by name, for tsearch() */
    size_t count;
};

struct search_progress *search_progress_new(void)
{
    struct search_progress *progress = calloc(1, sizeof(*progress));

    if (!progress)
        return NULL;
    pthread_mutex_init(&progress->mutex, NULL);
    condition_init(&progress->has_ended);
    return progress;
}

static void forget_all(struct search_progress *progress)
{
    tdestroy(progress->tree, free);
    progress->tree = NULL;
    progress->count = 0;
}

void search_progress_free(struct search_progress *progress)
{
    if (!progress)
        return;
    forget_all(progress);
    pthread_cond_destroy(&progress->has_ended);
    pthread_mutex_destroy(&progress->mutex);
    free(progress);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct search *)a)->name, ((const struct search *)b)->name);
}

static struct search *search_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct search *search = calloc(1, sizeof(*search) + size);

    if (!search)
        return NULL;
    search->state = SEARCH_MINE;
    memcpy(search->name, name, size);
    return search;
}

/* Finds the search of a repository, or adds one. NULL: out of memory. */
static struct search *find_search(struct search_progress *progress, const char *name)
{
    CLEANUP_FREE struct search *search = search_new(name);
    struct search *const *found;

    if (!search)
        return NULL;
    if (progress->count >= MOST_NAMES && !tfind(search, &progress->tree, compare))
        forget_all(progress);
    found = tsearch(search, &progress->tree, compare);
    if (!found)
        return NULL;
    if (*found != search)
        return *found;
    progress->count++;
    return steal_ptr(&search);
}

enum search_state search_progress_begin(struct search_progress *progress, const char *name,
                                        unsigned patience_ms, struct search_position *ret)
{
    struct timespec end = condition_deadline(patience_ms);
    enum search_state state = SEARCH_MINE;
    struct search *search;
    int r = 0;

    *ret = (struct search_position){.algorithm = DIGEST_SHA256};
    pthread_mutex_lock(&progress->mutex);
    while ((search = find_search(progress, name)) && search->state == SEARCH_BUSY && r == 0)
        r = pthread_cond_timedwait(&progress->has_ended, &progress->mutex, &end);
    if (search) {
        state = search->state;
        *ret = search->position;
    }
    if (search && state == SEARCH_MINE)
        search->state = SEARCH_BUSY;
    pthread_mutex_unlock(&progress->mutex);
    return state;
}

void search_progress_end(struct search_progress *progress, const char *name,
                         const struct search_position *position)
{
    struct search *search;

    pthread_mutex_lock(&progress->mutex);
    search = find_search(progress, name);
    if (search) {
        search->state = position ? SEARCH_MINE : SEARCH_DONE;
        if (position)
            search->position = *position;
    }
    pthread_cond_broadcast(&progress->has_ended);
    pthread_mutex_unlock(&progress->mutex);
}
