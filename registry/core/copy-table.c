#include "registry/core/copy-table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 1024 };

struct copy_slot {
    struct digest_id id;
    unsigned char is_used, state;
};

/* The slot of the id, or the unused one where it belongs. Digests are random numbers already. */
static struct copy_slot *find_slot(const struct copy_table *table, const struct digest_id *id)
{
    size_t i;

    memcpy(&i, id->bytes, sizeof(i));
    for (;; i++) {
        struct copy_slot *slot = &table->slots[i & (table->size - 1)];

        if (!slot->is_used || memcmp(&slot->id, id, sizeof(*id)) == 0)
            return slot;
    }
}

static int grow_table(struct copy_table *table)
{
    struct copy_table grown = {.size = table->size ? table->size * 2 : FIRST_SIZE};

    grown.slots = calloc(grown.size, sizeof(*grown.slots));
    if (!grown.slots)
        return -ENOMEM;
    for (size_t i = 0; i < table->size; i++)
        if (table->slots[i].is_used)
            *find_slot(&grown, &table->slots[i].id) = table->slots[i];
    free(table->slots);
    table->slots = grown.slots;
    table->size = grown.size;
    return 0;
}

static enum copy_state get_state(const struct copy_table *table, const struct digest_id *id)
{
    const struct copy_slot *slot = table->size ? find_slot(table, id) : NULL;

    return slot && slot->is_used ? (enum copy_state)slot->state : COPY_UNKNOWN;
}

/* 0, or -ENOMEM, which is impossible for an id that is in the table. */
static int set_state(struct copy_table *table, const struct digest_id *id, enum copy_state state)
{
    struct copy_slot *slot = table->size ? find_slot(table, id) : NULL;

    if ((!slot || !slot->is_used) && (table->count + 1) * 3 > table->size * 2) {
        if (grow_table(table) < 0)
            return -ENOMEM;
        slot = find_slot(table, id);
    }
    table->count += !slot->is_used;
    *slot = (struct copy_slot){.id = *id, .is_used = 1, .state = (unsigned char)state};
    return 0;
}

void copy_table_init(struct copy_table *table)
{
    *table = (struct copy_table){0};
    pthread_mutex_init(&table->lock, NULL);
    pthread_cond_init(&table->has_changed, NULL);
}

void copy_table_done(struct copy_table *table)
{
    free(table->slots);
    pthread_cond_destroy(&table->has_changed);
    pthread_mutex_destroy(&table->lock);
}

bool copy_table_begin(struct copy_table *table, const struct digest *digest, enum copy_state *ret)
{
    struct digest_id id = digest_id_of(digest);
    bool is_ours;

    pthread_mutex_lock(&table->lock);
    while ((*ret = get_state(table, &id)) == COPY_BUSY)
        pthread_cond_wait(&table->has_changed, &table->lock);
    is_ours = *ret == COPY_UNKNOWN || *ret == COPY_EXPECTED;
    if (is_ours && set_state(table, &id, COPY_BUSY) < 0) {
        *ret = COPY_BUSY;
        is_ours = false;
    }
    pthread_mutex_unlock(&table->lock);
    return is_ours;
}

void copy_table_end(struct copy_table *table, const struct digest *digest, enum copy_state state)
{
    struct digest_id id = digest_id_of(digest);

    pthread_mutex_lock(&table->lock);
    (void)!set_state(table, &id, state);
    pthread_cond_broadcast(&table->has_changed);
    pthread_mutex_unlock(&table->lock);
}

int copy_table_expect(struct copy_table *table, const struct digest *digest)
{
    struct digest_id id = digest_id_of(digest);
    int r = 0;

    pthread_mutex_lock(&table->lock);
    if (get_state(table, &id) == COPY_UNKNOWN)
        r = set_state(table, &id, COPY_EXPECTED) < 0 ? -ENOMEM : 1;
    pthread_mutex_unlock(&table->lock);
    return r;
}
