#include <errno.h>
#include <stdlib.h>

#include "registry/core/collect-private.h"

int sweep_batch_flush(struct sweep_batch *batch, struct error *err)
{
    struct collection *collection = batch->collection;
    size_t count = batch->count;
    int r;

    batch->count = 0;
    for (size_t i = 0; collection->options->is_dry_run && i < count; i++)
        collection->result.bytes += batch->items[i].size;
    if (count == 0 || collection->options->is_dry_run)
        return 0;
    r = storage_remove_unused(collection->store->storage, batch->removals, count,
                              collection->before_s, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (!batch->removals[i].is_spared)
            collection->result.bytes += batch->items[i].size;
    return r < 0 ? r : collect_pace(collection, err);
}

int sweep_batch_add(struct sweep_batch *batch, const struct key *key, const struct key *witness,
                    const struct key *other_witness, struct error *err)
{
    struct sweep_item *item;

    if (!batch->items)
        batch->items = calloc(SWEEP_BATCH, sizeof(*batch->items));
    if (!batch->items)
        return error_set_oom(err);
    item = &batch->items[batch->count];
    item->key = *key;
    item->key_text = item->key.text;
    item->size = batch->next_size;
    batch->next_size = 0;
    item->witnesses[0] = *witness;
    item->witness_texts[0] = item->witnesses[0].text;
    if (other_witness) {
        item->witnesses[1] = *other_witness;
        item->witness_texts[1] = item->witnesses[1].text;
    }
    batch->removals[batch->count++] = (struct storage_removal){
        .keys = &item->key_text, .key_count = 1,
        .witnesses = item->witness_texts, .witness_count = other_witness ? 2 : 1,
    };
    return batch->count < SWEEP_BATCH ? 0 : sweep_batch_flush(batch, err);
}

void sweep_batch_done(struct sweep_batch *batch)
{
    free(batch->items);
    batch->items = NULL;
}
