/*
 * Removes abandoned sessions, as registry:2 does. Their age is the start time in the session or, if
 * a crash prevented writing it, the age of their objects.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "registry/spec/name.h"
#include "registry/core/lists.h"
#include "registry/core/store-private.h"

/* No process still writes to a temporary file of this age: a crash left it. */
enum { LEFTOVER_AGE_S = 60 * 60, START_SIZE = 64 };

struct purge {
    struct store *store;
    int64_t before_ms; /* since 1970 */
    bool is_dry_run;
    store_purge_function *tell;
    void *object;
    struct error *err; /* of the first failure */
    int result;
};

static void remember_failure(struct purge *purge, const struct error *err)
{
    if (purge->result == 0 && purge->err)
        *purge->err = *err;
    if (purge->result == 0)
        purge->result = -err->code;
}

/*
 * Finds whether the session is too recent to be removed. 0, STORE_NOT_FOUND if it no longer exists,
 * or negative.
 */
static int is_recent(struct purge *purge, const char *name, const char *id, bool *ret,
                     struct error *err)
{
    struct storage *storage = purge->store->storage;
    struct key start = key_upload(name, id, "startedat"), all = key_upload(name, id, "");
    CLEANUP_FREE char *text = NULL;
    struct tm tm = {0};
    size_t size;
    int r = storage_get(storage, start.text, START_SIZE, STORAGE_MAY_WAIT, &text, &size, err);

    if (r < 0 && r != -EFBIG) /* a longer text is not a time */
        return r;
    if (r == 0 && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) {
        *ret = (int64_t)timegm(&tm) * 1000 > purge->before_ms;
        return 0;
    }
    return store_outcome(
        storage_used_since(storage, all.text, purge->before_ms / 1000 + 1, ret, err));
}

/* Removes a session, unless a request is writing to it. */
static int remove_session(struct purge *purge, const char *name, const char *id, struct error *err)
{
    struct storage *storage = purge->store->storage;
    struct key data = key_upload(name, id, "data"), all = key_upload(name, id, "");
    const char *keys[] = {all.text};
    struct storage_upload *upload = NULL;
    int r = storage_upload_open(storage, data.text, STORAGE_UPLOAD_RESUME, 0, &upload, err);

    if (r == STORAGE_WOULD_WAIT)
        return STORE_BUSY;
    r = r < 0 ? r : 0; /* the session may have no bytes */
    if (r == 0 && !purge->is_dry_run)
        r = storage_remove(storage, keys, 1, err);
    storage_upload_close(upload);
    return r;
}

static void purge_session(struct purge *purge, const char *name, const char *id)
{
    struct error err = {0};
    bool is_kept = false;
    int r = is_recent(purge, name, id, &is_kept, &err);

    if (r == 0 && is_kept)
        return;
    if (r == 0)
        r = remove_session(purge, name, id, &err);
    if (r < 0)
        remember_failure(purge, &err);
    else if (r == 0 && purge->tell)
        purge->tell(purge->object, name, id);
}

static void purge_repository(struct purge *purge, const char *name)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct key prefix = key_in_repository(name, "_uploads/");
    struct error err = {0};

    if (storage_list(purge->store->storage, prefix.text, NULL, SIZE_MAX, &list, &err) < 0)
        remember_failure(purge, &err);
    for (size_t i = 0; i < list.count; i++) {
        if (name_is_upload(list.entries[i]->name, strlen(list.entries[i]->name)))
            purge_session(purge, name, list.entries[i]->name);
    }
}

int store_purge_uploads(struct store *store, uint64_t max_age_ms, bool is_dry_run,
                        store_purge_function *tell, void *object, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    struct purge purge = {
        .store = store, .is_dry_run = is_dry_run, .tell = tell, .object = object, .err = err};
    struct error first = {0};
    int64_t now_ms = storage_now(store->storage) * 1000;
    int r = store_list_all(store, STORE_WITH_UPLOADS, &names, err);

    if (r < 0)
        return r;
    purge.before_ms = max_age_ms > (uint64_t)now_ms ? 0 : now_ms - (int64_t)max_age_ms;
    for (size_t i = 0; i < names.count; i++)
        purge_repository(&purge, names.items[i]);
    if (!is_dry_run && storage_clean_up(store->storage, LEFTOVER_AGE_S, &first) < 0)
        remember_failure(&purge, &first);
    return purge.result;
}
