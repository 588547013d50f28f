/*
 * Readers, uploads and claims belong to the inner storage, so their functions are called directly.
 */
#include "registry/storage/measured.h"

#include <stdlib.h>

#include "common/monotonic.h"

struct measured {
    struct storage storage;
    struct storage *inner;
    storage_observer *observe;
    void *object;
};

static struct storage *inner_of(struct storage *storage)
{
    return ((struct measured *)storage)->inner;
}

/* Reports the time since begin_us, and returns r. */
static int report(struct storage *storage, enum storage_action action, int64_t begin_us, int r)
{
    struct measured *measured = (struct measured *)storage;

    measured->observe(measured->object, action, (uint64_t)(monotonic_us() - begin_us));
    return r;
}

/* --- measured calls ---------------------------------------------------------------------- */

static int measured_head(struct storage *storage, const char *key, enum storage_waiting waiting,
                         struct storage_object *ret, struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_STAT, begin_us,
                  storage_head(inner_of(storage), key, waiting, ret, err));
}

static int measured_refresh(struct storage *storage, const char *key, enum storage_waiting waiting,
                            struct storage_object *ret, struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_STAT, begin_us,
                  storage_refresh(inner_of(storage), key, waiting, ret, err));
}

static int measured_get(struct storage *storage, const char *key, size_t limit,
                        enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                        struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_GET, begin_us,
                  storage_get(inner_of(storage), key, limit, waiting, ret_bytes, ret_size, err));
}

static int measured_list(struct storage *storage, const char *prefix, const char *after,
                         size_t limit, struct storage_list *ret, struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_LIST, begin_us,
                  storage_list(inner_of(storage), prefix, after, limit, ret, err));
}

static int measured_list_keys(struct storage *storage, const char *prefix, const char *after,
                              size_t limit, struct storage_list *ret, struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_LIST, begin_us,
                  storage_list_keys(inner_of(storage), prefix, after, limit, ret, err));
}

static int measured_write(struct storage *storage, const struct storage_step *steps, size_t count,
                          struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_PUT, begin_us,
                  storage_write(inner_of(storage), steps, count, err));
}

static int measured_note(struct storage *storage, const char *key, const void *data, size_t size,
                         struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_PUT, begin_us,
                  storage_note(inner_of(storage), key, data, size, err));
}

static int measured_remove(struct storage *storage, const char *const *keys, size_t count,
                           struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_DELETE, begin_us,
                  storage_remove(inner_of(storage), keys, count, err));
}

static int measured_remove_if_unchanged(struct storage *storage, const char *key,
                                        const struct storage_version *version, struct error *err)
{
    int64_t begin_us = monotonic_us();

    return report(storage, STORAGE_ACTION_DELETE, begin_us,
                  storage_remove_if_unchanged(inner_of(storage), key, version, err));
}

/* --- calls that are passed on ------------------------------------------------------------ */

static void measured_close(struct storage *storage)
{
    storage_close(inner_of(storage));
    free(storage);
}

static int measured_check(struct storage *storage, struct error *err)
{
    return storage_check(inner_of(storage), err);
}

static int64_t measured_now(struct storage *storage)
{
    return storage_now(inner_of(storage));
}

static bool measured_is_remote(const struct storage *storage)
{
    return storage_is_remote(((const struct measured *)storage)->inner);
}

static void measured_count_cache(struct storage *storage, struct storage_cache_counters *ret)
{
    storage_count_cache(inner_of(storage), ret);
}

static void measured_count_copies(struct storage *storage, struct storage_copy_counters *ret)
{
    storage_count_copies(inner_of(storage), ret);
}

static void measured_count_requests(struct storage *storage, struct storage_request_counters *ret)
{
    storage_count_requests(inner_of(storage), ret);
}

static void measured_end_at(struct storage *storage, int64_t moment_ms)
{
    storage_end_at(inner_of(storage), moment_ms);
}

static void measured_stop_waiting(struct storage *storage)
{
    storage_stop_waiting(inner_of(storage));
}

static int measured_open(struct storage *storage, const char *key, enum storage_waiting waiting,
                         struct storage_reader **ret, struct storage_object *ret_object,
                         struct error *err)
{
    return storage_open(inner_of(storage), key, waiting, ret, ret_object, err);
}

static int measured_open_copy(struct storage *storage, const char *key,
                              enum storage_waiting waiting, struct storage_reader **ret,
                              struct storage_object *ret_object, struct error *err)
{
    return storage_open_copy(inner_of(storage), key, waiting, ret, ret_object, err);
}

static int measured_open_linked(struct storage *storage, const char *link, const char *key,
                                enum storage_waiting waiting, struct storage_object *ret_link,
                                struct storage_reader **ret, struct storage_object *ret_object,
                                struct error *err)
{
    int64_t begin_us = monotonic_us();
    int r;

    if (inner_of(storage)->functions->open_linked)
        return report(storage, STORAGE_ACTION_STAT, begin_us,
                      storage_open_linked(inner_of(storage), link, key, waiting, ret_link, ret,
                                          ret_object, err));
    r = measured_head(storage, link, waiting, ret_link, err);
    return r == 0 ? measured_open_copy(storage, key, waiting, ret, ret_object, err) : r;
}

static int measured_get_address(struct storage *storage, const char *key, const char *method,
                                unsigned expires_s, char **ret, struct error *err)
{
    return storage_get_address(inner_of(storage), key, method, expires_s, ret, err);
}

static int measured_last_use(struct storage *storage, const char *key, int64_t *ret_ns,
                             struct error *err)
{
    return storage_last_use(inner_of(storage), key, ret_ns, err);
}

static int measured_begin_collection(struct storage *storage, struct error *err)
{
    return storage_begin_collection(inner_of(storage), err);
}

static void measured_end_collection(struct storage *storage)
{
    storage_end_collection(inner_of(storage));
}

static int measured_used_since(struct storage *storage, const char *key, int64_t moment_s,
                               bool *ret, struct error *err)
{
    return storage_used_since(inner_of(storage), key, moment_s, ret, err);
}

static int measured_remove_unused(struct storage *storage, struct storage_removal *removals,
                                  size_t count, int64_t moment_s, struct error *err)
{
    return storage_remove_unused(inner_of(storage), removals, count, moment_s, err);
}

static int measured_clean_up(struct storage *storage, int64_t age_s, struct error *err)
{
    return storage_clean_up(inner_of(storage), age_s, err);
}

static int measured_upload_open(struct storage *storage, const char *key,
                                enum storage_upload_mode mode, unsigned patience_ms,
                                struct storage_upload **ret, struct error *err)
{
    return storage_upload_open(inner_of(storage), key, mode, patience_ms, ret, err);
}

static bool measured_dates_uploads(const struct storage *storage)
{
    return storage_dates_uploads(((const struct measured *)storage)->inner);
}

static int measured_upload_head(struct storage *storage, const char *key, uint64_t *ret_size,
                                int64_t *ret_started_s, struct error *err)
{
    return storage_upload_head(inner_of(storage), key, ret_size, ret_started_s, err);
}

static int measured_claim(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
                          unsigned patience_ms, struct storage_claim **ret, struct error *err)
{
    return storage_claim(inner_of(storage), prefix, mode, patience_ms, ret, err);
}

static const struct storage_functions measured_functions = {
    .close = measured_close,
    .check = measured_check,
    .now = measured_now,
    .is_remote = measured_is_remote,
    .count_cache = measured_count_cache,
    .count_copies = measured_count_copies,
    .count_requests = measured_count_requests,
    .end_at = measured_end_at,
    .stop_waiting = measured_stop_waiting,
    .head = measured_head,
    .get = measured_get,
    .open = measured_open,
    .open_copy = measured_open_copy,
    .open_linked = measured_open_linked,
    .get_address = measured_get_address,
    .list = measured_list,
    .list_keys = measured_list_keys,
    .write = measured_write,
    .remove = measured_remove,
    .remove_if_unchanged = measured_remove_if_unchanged,
    .note = measured_note,
    .refresh = measured_refresh,
    .begin_collection = measured_begin_collection,
    .end_collection = measured_end_collection,
    .used_since = measured_used_since,
    .last_use = measured_last_use,
    .remove_unused = measured_remove_unused,
    .clean_up = measured_clean_up,
    .upload_open = measured_upload_open,
    .dates_uploads = measured_dates_uploads,
    .upload_head = measured_upload_head,
    .claim = measured_claim,
};

int storage_measure(struct storage *inner, storage_observer *observe, void *object,
                    struct storage **ret, struct error *err)
{
    struct measured *measured = calloc(1, sizeof(*measured));

    if (!measured) {
        storage_close(inner);
        return error_set_oom(err);
    }
    *measured = (struct measured){
        .storage.functions = &measured_functions,
        .inner = inner,
        .observe = observe,
        .object = object,
    };
    *ret = &measured->storage;
    return 0;
}
