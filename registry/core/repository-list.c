#include "registry/core/repository-list.h"

#include <stdlib.h>

struct repository_list {
    struct snapshot_cache *cache;
};

static struct repository_names *names_of(struct snapshot *snapshot)
{
    return (struct repository_names *)snapshot;
}

static void free_names(struct snapshot *snapshot)
{
    store_names_done(&names_of(snapshot)->names);
    free(snapshot);
}

static int read_names(void *store, struct snapshot **ret, struct error *err)
{
    struct repository_names *names = calloc(1, sizeof(*names));
    int r;

    if (!names)
        return error_set_oom(err);
    r = store_list_repositories(store, NULL, SIZE_MAX, NULL, &names->names, err);
    if (r < 0)
        free_names(&names->snapshot);
    else
        *ret = &names->snapshot;
    return r;
}

struct repository_list *repository_list_new(struct store *store, unsigned fresh_ms)
{
    const struct snapshot_source source = {
        .read = read_names, .free = free_names, .object = store, .fresh_ms = fresh_ms};
    struct repository_list *list = calloc(1, sizeof(*list));

    if (!list)
        return NULL;
    list->cache = snapshot_cache_new(&source);
    if (list->cache)
        return list;
    free(list);
    return NULL;
}

void repository_list_free(struct repository_list *list)
{
    if (!list)
        return;
    snapshot_cache_free(list->cache);
    free(list);
}

static bool has_name(const struct store_names *names, const char *name)
{
    return store_find_repository(names, name) < names->count;
}

void repository_list_note(struct repository_list *list, const struct event *event)
{
    struct snapshot *known;

    if (event->kind != EVENT_PUSH_BLOB && event->kind != EVENT_PUSH_MANIFEST &&
        event->kind != EVENT_MOUNT_BLOB)
        return;
    known = snapshot_cache_peek(list->cache);
    if (!known || !has_name(&names_of(known)->names, event->repository))
        snapshot_cache_expire(list->cache);
    snapshot_cache_release(list->cache, known);
}

void repository_list_drop_unused(struct repository_list *list, int64_t idle_ms)
{
    snapshot_cache_drop_unused(list->cache, idle_ms);
}

int repository_list_get(struct repository_list *list, const struct repository_names **ret,
                        struct error *err)
{
    struct snapshot *snapshot;
    int r = snapshot_cache_get(list->cache, &snapshot, err);

    if (r == 0)
        *ret = names_of(snapshot);
    return r;
}

void repository_list_release(struct repository_list *list, const struct repository_names *names)
{
    snapshot_cache_release(list->cache, (struct snapshot *)&names->snapshot);
}
