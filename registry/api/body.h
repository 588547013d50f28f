#pragma once

#include "registry/api/endpoint.h"

/*
 * Bodies that endpoints want whole, such as manifests. All of them together have one bound, and those of one principal a
 * quarter of it, so that nobody fills the server's memory with bodies that never end.
 */
enum {
    BODY_TOTAL_MAX = 64 << 20,
    BODY_OWNER_MAX = BODY_TOTAL_MAX / 4,
    BODY_SMALL = 64 << 10,              /* bodies of at most that size */
    BODY_RESERVED = BODY_TOTAL_MAX / 4, /* have so much for themselves, and a quarter of each principal's share */
    BODY_OWNERS = 64,                   /* principals are counted by a hash of so many values */
};

/* In bytes; atomic, 0 at first. */
struct body_budget {
    size_t total, by_owner[BODY_OWNERS];
};

/* Adds a piece to call->body. 0, -EBUSY where the bound is reached (the body is freed), or -ENOMEM (likewise). */
int body_keep(struct call *call, const void *data, size_t size) MUST_USE;

/* Frees what was kept. */
void body_drop(struct call *call);
