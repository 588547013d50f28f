#include "registry/core/upload-list.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/core/lists.h"
#include "registry/core/store-private.h"
#include "registry/spec/name.h"

enum { START_SIZE = 64 };

void upload_list_done(struct upload_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].repository);
    free(list->items);
    *list = (struct upload_list){0};
}

/* 0 if a crash prevented writing it. */
static int64_t read_start(struct store *store, const char *name, const char *id)
{
    struct key start = key_upload(name, id, "startedat");
    CLEANUP_FREE char *text = NULL;
    struct tm tm = {0};
    struct error ignored;
    size_t size;

    if (storage_get(store->storage, start.text, START_SIZE, STORAGE_MAY_WAIT, &text, &size,
                    &ignored) != 0 ||
        !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
        return 0;
    return timegm(&tm);
}

static int64_t find_start(struct store *store, const char *name, const char *id)
{
    struct key data = key_upload(name, id, "data");
    struct error ignored;
    int64_t started_s;
    uint64_t size;

    if (!storage_dates_uploads(store->storage))
        return read_start(store, name, id);
    return storage_upload_head(store->storage, data.text, &size, &started_s, &ignored) == 0
               ? started_s
               : 0;
}

static int add_session(struct store *store, const char *name, const char *id,
                       struct upload_list *list, struct error *err)
{
    struct upload_entry entry = {0};
    struct error ignored;

    if (store_upload_stat(store, name, id, &entry.size, &ignored) != 0)
        return 0; /* it has ended */
    entry.started_s = find_start(store, name, id);
    if (store_grow((void **)&list->items, list->count, sizeof(*list->items)) < 0)
        return error_set_oom(err);
    entry.repository = strdup(name);
    if (!entry.repository)
        return error_set_oom(err);
    list->items[list->count++] = entry;
    return 0;
}

static int add_repository(struct store *store, const char *name, size_t most,
                          struct upload_list *list, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list sessions = {0};
    struct key prefix = key_in_repository(name, "_uploads/");
    int r = storage_list(store->storage, prefix.text, NULL, SIZE_MAX, &sessions, err);

    for (size_t i = 0; r == 0 && i < sessions.count; i++) {
        const char *id = sessions.entries[i]->name;

        if (!name_is_upload(id, strlen(id)))
            continue;
        list->has_more = list->count == most;
        if (list->has_more)
            return 0;
        r = add_session(store, name, id, list, err);
    }
    return r;
}

int store_list_uploads(struct store *store, size_t most, struct upload_list *ret,
                       struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    struct upload_list list = {0};
    int r = store_list_all(store, STORE_WITH_UPLOADS, &names, err);

    for (size_t i = 0; r == 0 && !list.has_more && i < names.count; i++)
        r = add_repository(store, names.items[i], most, &list, err);
    if (r < 0)
        upload_list_done(&list);
    else
        *ret = list;
    return r;
}
