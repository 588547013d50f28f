#include "registry/api/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/api.h"
#include "registry/api/fairness.h"
#include "registry/api/routes.h"

static size_t *share_of(struct call *call)
{
    return &call->api->bodies.by_owner[fairness_get_owner(call)->principal % BODY_OWNERS];
}

static void give_back(struct call *call, size_t size)
{
    __atomic_sub_fetch(&call->api->bodies.total, size, __ATOMIC_RELAXED);
    __atomic_sub_fetch(share_of(call), size, __ATOMIC_RELAXED);
}

/* Takes size bytes of the budget, for a body that will have capacity bytes. */
static bool take(struct call *call, size_t size, size_t capacity)
{
    size_t reserved = capacity <= BODY_SMALL ? 0 : BODY_RESERVED;
    size_t total = __atomic_add_fetch(&call->api->bodies.total, size, __ATOMIC_RELAXED);
    size_t share = __atomic_add_fetch(share_of(call), size, __ATOMIC_RELAXED);

    if (total + reserved <= BODY_TOTAL_MAX && share + reserved / 4 <= BODY_OWNER_MAX)
        return true;
    give_back(call, size);
    return false;
}

static int make_room(struct call *call, size_t capacity)
{
    size_t more = capacity - call->kept_capacity;
    char *body;

    if (!take(call, more, capacity))
        return -EBUSY;
    body = realloc(call->kept, capacity);
    if (!body) {
        give_back(call, more);
        return -ENOMEM;
    }
    call->kept = body;
    call->kept_capacity = capacity;
    return 0;
}

void body_drop(struct call *call)
{
    if (!call->kept)
        return;
    give_back(call, call->kept_capacity);
    free(call->kept);
    call->kept = NULL;
    call->kept_capacity = call->body_kept = 0;
    call->body = NULL;
}

int body_keep(struct call *call, const void *data, size_t size)
{
    size_t limit = call->operation->endpoint->body_limit, needed = call->body_kept + size;
    int r = 0;

    if (limit == 0 || call->is_body_too_large)
        return 0;
    if (needed > limit) {
        call->is_body_too_large = true;
        body_drop(call);
        return 0;
    }
    if (needed > call->kept_capacity)
        r = make_room(call, needed * 2 < limit ? needed * 2 : limit);
    if (r < 0) {
        body_drop(call);
        return r;
    }
    memcpy(call->kept + call->body_kept, data, size);
    call->body_kept = needed;
    call->body = (const unsigned char *)call->kept;
    return 0;
}
