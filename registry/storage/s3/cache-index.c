#include "registry/storage/s3/cache-index.h"

#include <stdlib.h>
#include <string.h>

#include "common/random.h"

/* How much of the room protected blobs may take. */
enum { PROTECTED_PARTS = 4, PARTS = 5, HASH_BITS = 14, HASHED_DIGITS = 16 };

_Static_assert(CACHE_BUCKETS == 1 << HASH_BITS, "the hash selects a bucket");

struct cache_index *cache_index_new(uint64_t max)
{
    struct cache_index *index = calloc(1, sizeof(*index));

    if (!index)
        return NULL;
    index->max = max;
    random_bytes(&index->factor, sizeof(index->factor));
    index->factor |= 1;
    return index;
}

void cache_index_free(struct cache_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        for (struct cache_entry *entry = index->buckets[i], *next; entry; entry = next) {
            next = entry->next_in_bucket;
            free(entry);
        }
    free(index);
}

uint64_t cache_room_of(uint64_t size)
{
    return (size / CACHE_BLOCK + 1) * CACHE_BLOCK;
}

/* --- look-up --------------------------------------------------------------------------------- */

static size_t bucket_of(const struct cache_index *index, const char *hex)
{
    uint64_t number = 0;

    for (size_t i = 0; i < HASHED_DIGITS; i++)
        number = number << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return (size_t)(number * index->factor >> (64 - HASH_BITS));
}

struct cache_entry *cache_index_find(const struct cache_index *index, const char *hex)
{
    struct cache_entry *entry = index->buckets[bucket_of(index, hex)];

    while (entry && strcmp(entry->hex, hex) != 0)
        entry = entry->next_in_bucket;
    return entry;
}

bool cache_index_has_room(const struct cache_index *index, uint64_t size)
{
    uint64_t room = cache_room_of(size);

    return index->count < CACHE_ENTRIES_MAX && room <= index->max &&
           index->used <= index->max - room;
}

struct cache_entry *cache_index_add(struct cache_index *index, const char *hex, uint64_t size)
{
    struct cache_entry **bucket = &index->buckets[bucket_of(index, hex)], *entry;

    if (!cache_index_has_room(index, size))
        return NULL;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    memcpy(entry->hex, hex, sizeof(entry->hex));
    entry->size = size;
    entry->users = 1;
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    index->used += cache_room_of(size);
    index->count++;
    return entry;
}

static void free_entry(struct cache_index *index, struct cache_entry *entry)
{
    struct cache_entry **at = &index->buckets[bucket_of(index, entry->hex)];

    while (*at != entry)
        at = &(*at)->next_in_bucket;
    *at = entry->next_in_bucket;
    index->used -= cache_room_of(entry->size);
    index->count--;
    free(entry);
}

/* --- the order ------------------------------------------------------------------------------- */

static void unlist(struct cache_entry *entry)
{
    struct cache_list *list = entry->list;

    if (!list)
        return;
    *(entry->newer ? &entry->newer->older : &list->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &list->oldest) = entry->newer;
    list->room -= cache_room_of(entry->size);
    entry->list = NULL;
}

static void list_as_newest(struct cache_list *list, struct cache_entry *entry)
{
    unlist(entry);
    entry->newer = NULL;
    entry->older = list->newest;
    *(list->newest ? &list->newest->newer : &list->oldest) = entry;
    list->newest = entry;
    list->room += cache_room_of(entry->size);
    entry->list = list;
}

void cache_index_settle(struct cache_index *index, struct cache_entry *entry)
{
    entry->state = CACHE_WHOLE;
    list_as_newest(&index->probation, entry);
}

void cache_index_touch(struct cache_index *index, struct cache_entry *entry)
{
    if (!entry->list)
        return;
    list_as_newest(&index->protected, entry);
    while (index->protected.room > index->max / PARTS * PROTECTED_PARTS &&
           index->protected.oldest != entry)
        list_as_newest(&index->probation, index->protected.oldest);
}

void cache_index_leave(struct cache_index *index, struct cache_entry *entry)
{
    (void)index;
    unlist(entry);
    entry->state = CACHE_LEAVING;
}

struct cache_entry *cache_index_evict(struct cache_index *index)
{
    struct cache_list *const lists[] = {&index->probation, &index->protected};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (struct cache_entry *entry = lists[i]->oldest; entry; entry = entry->newer)
            if (entry->users == 0) {
                cache_index_leave(index, entry);
                entry->users = 1;
                return entry;
            }
    return NULL;
}

void cache_index_drop(struct cache_index *index, struct cache_entry *entry)
{
    entry->users--;
    if (entry->users == 0 && entry->state == CACHE_LEAVING && entry->is_unlinked)
        free_entry(index, entry);
}
