/*
 * Removes abandoned sessions, as registry:2 does. Their age is the start time in the session or, if
 * a crash prevented writing it, the age of their objects.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "registry/core/lease.h"
#include "registry/core/lists.h"
#include "registry/core/records.h"
#include "registry/core/store-private.h"
#include "registry/spec/name.h"

/* No process still writes to a temporary file of this age: a crash left it. */
enum { LEFTOVER_AGE_S = 60 * 60, START_SIZE = 64 };

struct purge {
    struct store *store;
    int64_t before_ms; /* since 1970 */
    bool is_dry_run;
    struct lease *lease; /* NULL: other servers may purge, too */
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
    if (r == 0 && !purge->is_dry_run)
        r = storage_upload_discard(upload, err);
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

/* 0, STORE_BUSY if another server has taken over, or negative. */
static int go_on(struct purge *purge)
{
    struct error err = {0};
    int r = store_may_go_on(purge->store, &err);

    if (r == 0 && purge->lease)
        r = lease_renew(purge->lease, &err);

    if (r < 0)
        remember_failure(purge, &err);
    return r;
}

static int purge_all(struct purge *purge, uint64_t max_age_ms)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    struct storage *storage = purge->store->storage;
    int64_t now_ms = storage_now(storage) * 1000;
    struct error err = {0};
    int r = store_list_all(purge->store, STORE_WITH_UPLOADS, &names, &err);

    if (r < 0)
        remember_failure(purge, &err);
    purge->before_ms = max_age_ms > (uint64_t)now_ms ? 0 : now_ms - (int64_t)max_age_ms;
    for (size_t i = 0; r == 0 && i < names.count; i++) {
        r = go_on(purge);
        if (r == 0)
            purge_repository(purge, names.items[i]);
    }
    if (r == 0 && !purge->is_dry_run && storage_clean_up(storage, LEFTOVER_AGE_S, &err) < 0)
        remember_failure(purge, &err);
    return purge->result;
}

int store_purge_uploads(struct store *store, uint64_t max_age_ms, bool is_dry_run,
                        store_purge_function *tell, void *object, struct error *err)
{
    struct purge purge = {
        .store = store, .is_dry_run = is_dry_run, .tell = tell, .object = object, .err = err};

    return purge_all(&purge, max_age_ms);
}

/* --- one server of several ----------------------------------------------------------------- */

#define LEASE "leases/upload-purge"
#define PURGED "uploads-purged"

/* Whether a server has purged since then. 1 or 0, or negative. */
static int has_purged_since(struct store *store, int64_t moment_s, struct error *err)
{
    int64_t purged_s;
    int r = store_read_number(store, PURGED, &purged_s, err);

    return r < 0 ? r : r == 0 && purged_s > moment_s;
}

/* Takes the lease unless somebody has purged since then. 0, STORE_BUSY or negative. */
static int take_turn(struct store *store, int64_t moment_s, struct lease *ret, struct error *err)
{
    int r = has_purged_since(store, moment_s, err);

    if (r == 0)
        r = lease_take(store, LEASE, ret, err);
    if (r != 0)
        return r < 0 ? r : STORE_BUSY;
    r = has_purged_since(store, moment_s, err); /* it may have ended between the two looks */
    if (r != 0)
        lease_release(ret);
    return r <= 0 ? r : STORE_BUSY;
}

int store_purge_uploads_in_turn(struct store *store, uint64_t interval_ms, uint64_t max_age_ms,
                                store_purge_function *tell, void *object, struct error *err)
{
    struct lease lease;
    struct purge purge = {
        .store = store, .lease = &lease, .tell = tell, .object = object, .err = err};
    int64_t now_s = storage_now(store->storage), interval_s = (int64_t)(interval_ms / 1000);
    /* a little less, so that a server does not find its own purge too recent */
    int r = take_turn(store, now_s - interval_s + interval_s / 10, &lease, err);

    if (r != 0)
        return r;
    r = purge_all(&purge, max_age_ms);
    if (r == 0)
        r = store_note_number(store, PURGED, now_s, err);
    lease_release(&lease);
    return r;
}
