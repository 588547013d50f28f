#include "registry/core/collect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "registry/core/collect-private.h"

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

int collect_is_wanted(const struct collection *collection, const struct key *key, struct error *err)
{
    struct driver *driver = collection->store->driver;
    struct driver_stat st;
    int r = collection->options->grace_s ? driver->type->stat(driver, key->text, &st, err) : DRIVER_NOT_FOUND;

    return r == 0 ? st.modified_s >= collection->before_s : r < 0 ? r : 0;
}

/* What a crash left is removed, but not what others are just writing. */
enum { LEFTOVER_AGE_S = 60 * 60 };

static void collection_done(struct collection *collection)
{
    store_names_done(&collection->names);
    digest_set_done(&collection->marks);
    free(collection->doomed);
}

int store_collect(struct store *store, const struct collect_options *options, struct collect_result *ret,
                  struct error *err)
{
    CLEANUP(collection_done) struct collection collection = {.store = store, .options = options};
    int r;

    /* From before the first look: whatever was pushed since, and is not seen by it, is wanted. */
    collection.before_s = options->grace_s ? (int64_t)time(NULL) - (int64_t)options->grace_s : INT64_MAX;
    r = store_list_repositories(store, NULL, SIZE_MAX, &collection.names, err);

    for (size_t i = 0; r == 0 && i < collection.names.count; i++)
        r = collect_mark(&collection, collection.names.items[i], err);
    digest_set_sort(&collection.marks);
    if (r == 0)
        r = collect_sweep(&collection, err);
    if (r == 0 && !options->is_dry_run)
        r = store->driver->type->clean(store->driver, options->grace_s ? LEFTOVER_AGE_S : 0, err);
    if (r == 0)
        *ret = collection.result;
    return r;
}
