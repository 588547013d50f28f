#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"

/* A compact set for millions of sha256 digests: 32 bytes each. For one thread at a time. */
enum { DIGEST_ID_SIZE = 32 };

struct digest_id {
    unsigned char bytes[DIGEST_ID_SIZE];
};

struct digest_set {
    struct digest_id *items; /* sorted and without duplicates after digest_set_sort() */
    size_t count;
    size_t tidy_count; /* the count after the last sort */
};

/* digest is a sha256. */
struct digest_id digest_id_of(const struct digest *digest);
void digest_id_format(const struct digest_id *id, struct digest *ret);
int digest_id_compare(const void *a, const void *b);

/* 0 or -ENOMEM. */
int digest_set_add(struct digest_set *set, const struct digest_id *id) MUST_USE;
void digest_set_sort(struct digest_set *set);
/* Of a sorted set. */
bool digest_set_has(const struct digest_set *set, const struct digest_id *id);
void digest_set_done(struct digest_set *set);
