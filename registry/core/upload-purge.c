/*
 * Sessions that nobody goes on with are removed after a time, as registry:2 does: by the time that
 * is written in the session, or, where a crash kept it from being written, by the age of the folder.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "registry/spec/name.h"
#include "registry/core/store-private.h"
#include "registry/core/upload-states.h"

/* What a crash left of our own, and surely nobody writes to any more. */
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

/* When the session began, in ms since 1970. 0, STORE_NOT_FOUND where it is gone, or negative. */
static int find_start(struct purge *purge, const char *name, const char *id, int64_t *ret_ms, struct error *err)
{
    const struct driver_type *type = purge->store->driver->type;
    struct key start = key_upload(name, id, "startedat"), folder = key_upload(name, id, "");
    CLEANUP_FREE char *text = NULL;
    struct driver_stat st;
    struct tm tm = {0};
    size_t size;
    int r = type->read(purge->store->driver, start.text, START_SIZE, &text, &size, err);

    if (r < 0 && r != -EFBIG) /* what is longer is no time */
        return r;
    if (r == 0 && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) {
        *ret_ms = (int64_t)timegm(&tm) * 1000;
        return 0;
    }
    r = type->stat(purge->store->driver, folder.text, &st, err);
    if (r == 0)
        *ret_ms = st.modified_s * 1000;
    return r > 0 ? STORE_NOT_FOUND : r;
}

static int remove_session(struct purge *purge, const char *name, const char *id, struct error *err)
{
    struct key folder = key_upload(name, id, "");
    const char *keys[] = {folder.text};
    struct upload_hash hash = {0};
    bool keep;
    int r = upload_states_claim(purge->store->uploads, name, id, 0, &hash);

    if (r < 0)
        return r == -EBUSY ? STORE_BUSY : error_set_oom(err);
    if (!purge->is_dry_run)
        r = purge->store->driver->type->remove(purge->store->driver, keys, 1, err);
    keep = hash.sha256 && (purge->is_dry_run || r < 0);
    upload_states_release(purge->store->uploads, name, id, &hash, keep);
    return r;
}

static void purge_session(struct purge *purge, const char *name, const char *id)
{
    struct error err = {0};
    int64_t start_ms;
    int r = find_start(purge, name, id, &start_ms, &err);

    if (r == 0 && start_ms > purge->before_ms)
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
    CLEANUP(folder_names_done) struct folder_names names = {0};
    struct key folder = key_in_repository(name, "_uploads");
    struct error err = {0};

    if (purge->store->driver->type->list(purge->store->driver, folder.text, &names, &err) < 0)
        remember_failure(purge, &err);
    for (size_t i = 0; i < names.count; i++) {
        if (name_is_upload(names.names[i]->text, strlen(names.names[i]->text)))
            purge_session(purge, name, names.names[i]->text);
    }
}

int store_purge_uploads(struct store *store, uint64_t max_age_ms, bool is_dry_run, store_purge_function *tell,
                        void *object, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    struct purge purge = {.store = store, .is_dry_run = is_dry_run, .tell = tell, .object = object, .err = err};
    struct error first = {0};
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    int r = store_list_folders(store, &names, err);

    if (r < 0)
        return r;
    purge.before_ms = max_age_ms > (uint64_t)now_ms ? 0 : now_ms - (int64_t)max_age_ms;
    for (size_t i = 0; i < names.count; i++)
        purge_repository(&purge, names.items[i]);
    if (!is_dry_run && store->driver->type->clean(store->driver, LEFTOVER_AGE_S, &first) < 0)
        remember_failure(&purge, &first);
    return purge.result;
}
