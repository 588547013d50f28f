#include "registry/core/collect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "registry/core/collect-private.h"
#include "registry/core/lists.h"
#include "registry/core/quota-private.h"
#include "registry/core/records.h"

void collect_say(const struct collection *collection, const char *format, ...)
{
    char line[1024];
    va_list args;

    if (!collection->options->say)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    collection->options->say(collection->options->object, line);
}

void collect_show(const struct collection *collection, const struct progress *progress)
{
    if (collection->options->progress)
        collection->options->progress(collection->options->progress_object, progress);
}

void collect_show_marking(const struct collection *collection, const char *unit, size_t done,
                          size_t total)
{
    collect_show(collection, &(struct progress){.step = "marking",
                                                .unit = "repositories",
                                                .done = collection->done_names,
                                                .total = collection->names.count,
                                                .part_unit = unit,
                                                .part_done = done,
                                                .part_total = total});
}

int collect_pace(const struct collection *collection, struct error *err)
{
    return collection->options->pace ? collection->options->pace(collection->options->object, err)
                                     : 0;
}

int collect_is_used(const struct collection *collection, const struct key *key, struct error *err)
{
    bool is_used = false;
    int r = 0;

    if (collection->options->grace_s)
        r = storage_used_since(collection->store->storage, key->text, collection->before_s,
                               &is_used, err);
    return r < 0 ? r : is_used;
}

/* Temporary files that crashes left are removed at this age; younger ones may still be written. */
enum { LEFTOVER_AGE_S = 60 * 60 };

static void collection_done(struct collection *collection)
{
    store_names_done(&collection->names);
    digest_set_done(&collection->marks);
    free(collection->doomed);
}

static int collect_all(struct store *store, const struct collect_options *options,
                       struct collect_result *ret, struct error *err)
{
    CLEANUP(collection_done) struct collection collection = {.store = store, .options = options};
    int r;

    /*
     * The time before the first read. Objects that are pushed later, which the collection may not
     * see, count as used.
     */
    collection.before_s =
        options->grace_s ? storage_now(store->storage) - (int64_t)options->grace_s : INT64_MAX;
    r = store_list_all(store, STORE_WITH_CONTENT, &collection.names, err);

    for (; r == 0 && collection.done_names < collection.names.count; collection.done_names++)
        r = collect_mark(&collection, collection.names.items[collection.done_names], err);
    digest_set_sort(&collection.marks);
    if (r == 0)
        r = collect_sweep(&collection, err);
    if (r == 0 && !options->is_dry_run)
        r = storage_clean_up(store->storage, options->grace_s ? LEFTOVER_AGE_S : 0, err);
    if (r == 0 && !options->is_dry_run)
        r = store_note_number(store, QUOTA_COLLECTED, storage_now(store->storage), err);
    if (r == 0)
        *ret = collection.result;
    return r;
}

int store_collect(struct store *store, const struct collect_options *options,
                  struct collect_result *ret, struct error *err)
{
    int r = storage_begin_collection(store->storage, err);

    if (r < 0)
        return r;
    r = collect_all(store, options, ret, err);
    storage_end_collection(store->storage);
    return r;
}
