/*
 * A growing array that is sorted on demand. Many manifests name the same layer, so duplicates are
 * dropped whenever the set has doubled.
 */
#include "registry/core/digest-set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TIDY_FROM = 1 << 16 };

static unsigned char value_of(char digit)
{
    return (unsigned char)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

struct digest_id digest_id_of(const struct digest *digest)
{
    struct digest_id id;

    for (size_t i = 0; i < DIGEST_ID_SIZE; i++)
        id.bytes[i] =
            (unsigned char)(value_of(digest->hex[i * 2]) << 4 | value_of(digest->hex[i * 2 + 1]));
    return id;
}

void digest_id_format(const struct digest_id *id, struct digest *ret)
{
    static const char digits[] = "0123456789abcdef";

    *ret = (struct digest){.algorithm = DIGEST_SHA256};
    for (size_t i = 0; i < DIGEST_ID_SIZE; i++) {
        ret->hex[i * 2] = digits[id->bytes[i] >> 4];
        ret->hex[i * 2 + 1] = digits[id->bytes[i] & 0xF];
    }
}

int digest_id_compare(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_ID_SIZE);
}

void digest_set_sort(struct digest_set *set)
{
    size_t kept = 0;

    if (set->count > 1) {
        qsort(set->items, set->count, sizeof(*set->items), digest_id_compare);
        for (size_t i = 1; i < set->count; i++) {
            if (digest_id_compare(&set->items[i], &set->items[kept]) != 0)
                set->items[++kept] = set->items[i];
        }
        set->count = kept + 1;
    }
    set->tidy_count = set->count;
}

int digest_set_add(struct digest_set *set, const struct digest_id *id)
{
    struct digest_id *grown;

    if (set->count >= TIDY_FROM && set->count >= set->tidy_count * 2)
        digest_set_sort(set);
    if ((set->count & (set->count - 1)) == 0) { /* full at each power of two */
        grown = reallocarray(set->items, set->count ? set->count * 2 : 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        set->items = grown;
    }
    set->items[set->count++] = *id;
    return 0;
}

bool digest_set_has(const struct digest_set *set, const struct digest_id *id)
{
    return set->count &&
           bsearch(id, set->items, set->count, sizeof(*set->items), digest_id_compare);
}

void digest_set_done(struct digest_set *set)
{
    free(set->items);
    *set = (struct digest_set){0};
}
