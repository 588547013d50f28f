#pragma once

#include "registry/api/endpoint.h"

/*
 * Keeps bodies that endpoints need as a whole, such as manifests. One bound limits all of them
 * together, and each principal may use a quarter of it, so that nobody can fill the memory with
 * bodies that never end.
 */
enum {
    BODY_TOTAL_MAX = 64 << 20,
    BODY_OWNER_MAX = BODY_TOTAL_MAX / 4,
    BODY_SMALL = 64 << 10, /* bodies up to this size may use the reserve */
    BODY_RESERVED = BODY_TOTAL_MAX / 4, /* the reserve; a quarter of it in each share */
    BODY_OWNERS = 64, /* principals are counted by a hash with this many values */
};

/* Bytes in use; atomic, initially 0. */
struct body_budget {
    size_t total, by_owner[BODY_OWNERS];
};

/*
 * Adds a piece to call->body. Returns 0, -EBUSY if a bound is reached, or -ENOMEM; on failure the
 * body is freed.
 */
int body_keep(struct call *call, const void *data, size_t size) MUST_USE;

/* Frees the body. */
void body_drop(struct call *call);
