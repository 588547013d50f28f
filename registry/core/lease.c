#include "registry/core/lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "registry/core/store-private.h"

enum { LEASE_SIZE_MAX = 200 };

/* Parses "HOLDER UNTIL\n". Nobody holds a damaged lease. */
static int read_lease(const struct lease *lease, struct storage_object *ret_object,
                      char ret_holder[37], int64_t *ret_until_s, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size;
    int r = storage_head(lease->store->storage, lease->path, STORAGE_MAY_WAIT, ret_object, err);

    if (r == 0)
        r = storage_get(lease->store->storage, lease->path, LEASE_SIZE_MAX, STORAGE_MAY_WAIT, &text,
                        &size, err);
    if (r != 0)
        return store_outcome(r);
    if (sscanf(text, "%36s %" SCNd64, ret_holder, ret_until_s) != 2) {
        *ret_holder = '\0';
        *ret_until_s = 0;
    }
    return 0;
}

/* Writes the lease if the condition holds, and finds its new version. 0 or STORE_BUSY. */
static int write_lease(struct lease *lease, enum storage_condition condition, struct error *err)
{
    char text[LEASE_SIZE_MAX], holder[37];
    struct storage_object object;
    int64_t until_s = storage_now(lease->store->storage) + LEASE_S, found_s;
    int size = snprintf(text, sizeof(text), "%s %" PRId64 "\n", lease->holder, until_s), r;
    const struct storage_step step = {.kind = STORAGE_PUT,
                                      .key = lease->path,
                                      .data = text,
                                      .size = (size_t)size,
                                      .condition = condition,
                                      .version = lease->version};

    r = storage_write(lease->store->storage, &step, 1, err);
    if (r != 0)
        return r < 0 ? r : STORE_BUSY;
    r = read_lease(lease, &object, holder, &found_s, err);
    if (r != 0 || strcmp(holder, lease->holder) != 0)
        return r < 0 ? r : STORE_BUSY;
    lease->version = object.version;
    lease->until_s = until_s;
    return 0;
}

int lease_take(struct store *store, const char *path, struct lease *ret, struct error *err)
{
    struct lease lease = {.store = store};
    struct storage_object object;
    char holder[37];
    int64_t until_s = 0;
    int r;

    snprintf(lease.path, sizeof(lease.path), KEY_RECORDS "%s", path);
    random_uuid(lease.holder);
    r = read_lease(&lease, &object, holder, &until_s, err);
    if (r < 0)
        return r;
    if (r == 0 && until_s > storage_now(store->storage))
        return STORE_BUSY;
    lease.version = object.version;
    r = write_lease(&lease, r == 0 ? STORAGE_IF_UNCHANGED : STORAGE_IF_ABSENT, err);
    if (r == 0)
        *ret = lease;
    return r;
}

int lease_renew(struct lease *lease, struct error *err)
{
    int64_t now_s = storage_now(lease->store->storage);

    if (now_s < lease->until_s - LEASE_S + LEASE_RENEW_S)
        return 0;
    return now_s >= lease->until_s ? STORE_BUSY : write_lease(lease, STORAGE_IF_UNCHANGED, err);
}

void lease_release(struct lease *lease)
{
    struct error ignored;

    (void)storage_remove_if_unchanged(lease->store->storage, lease->path, &lease->version,
                                      &ignored);
}
