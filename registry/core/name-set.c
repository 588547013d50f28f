/*
 * The repositories that were searched since the start. The set only saves work: when it holds too many names it forgets all
 * of them, and the work is done again.
 */
#include <errno.h>
#include <search.h>
#include <string.h>

#include "registry/core/store-private.h"

enum { MOST_NAMES = 20000 };

struct name_set {
    pthread_mutex_t mutex;
    void *tree; /* of names, for tsearch() */
    size_t count;
};

struct name_set *name_set_new(void)
{
    struct name_set *set = calloc(1, sizeof(*set));

    if (set)
        pthread_mutex_init(&set->mutex, NULL);
    return set;
}

static void forget_all(struct name_set *set)
{
    tdestroy(set->tree, free);
    set->tree = NULL;
    set->count = 0;
}

void name_set_free(struct name_set *set)
{
    if (!set)
        return;
    forget_all(set);
    pthread_mutex_destroy(&set->mutex);
    free(set);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool name_set_has(struct name_set *set, const char *name)
{
    bool has;

    pthread_mutex_lock(&set->mutex);
    has = tfind(name, &set->tree, compare) != NULL;
    pthread_mutex_unlock(&set->mutex);
    return has;
}

void name_set_add(struct name_set *set, const char *name)
{
    CLEANUP_FREE char *copy = strdup(name);
    char *const *found;

    if (!copy)
        return;
    pthread_mutex_lock(&set->mutex);
    if (set->count >= MOST_NAMES)
        forget_all(set);
    found = tsearch(copy, &set->tree, compare);
    if (found && *found == copy) {
        set->count++;
        copy = NULL; /* the tree's */
    }
    pthread_mutex_unlock(&set->mutex);
}
