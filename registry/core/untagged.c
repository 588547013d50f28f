#include "registry/core/untagged.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/lists.h"
#include "registry/core/store-private.h"

enum { RECORD_MAX = 64 << 20, HEX_SIZE = 64 };

void untagged_done(struct untagged *record)
{
    free(record->items);
    *record = (struct untagged){0};
}

int untagged_add(struct untagged *record, const struct digest_id *id, int64_t since_s)
{
    void *items = record->items;
    int r = store_grow(&items, record->count, sizeof(*record->items));

    record->items = items;
    if (r == 0)
        record->items[record->count++] = (struct untagged_entry){.id = *id, .since_s = since_s};
    return r;
}

static int compare_entries(const void *a, const void *b)
{
    return digest_id_compare(&((const struct untagged_entry *)a)->id,
                             &((const struct untagged_entry *)b)->id);
}

/* Parses and adds a line; an invalid line is skipped. */
static int parse_line(struct untagged *record, const char *line)
{
    char hex[HEX_SIZE + 1];
    struct digest digest;
    struct digest_id id;
    int64_t since_s;

    if (sscanf(line, "%64[0-9a-f] %" SCNd64, hex, &since_s) != 2 ||
        !key_parse_hex(DIGEST_SHA256, hex, &digest))
        return 0;
    id = digest_id_of(&digest);
    return untagged_add(record, &id, since_s);
}

int untagged_read(struct store *store, const char *name, struct untagged *ret, struct error *err)
{
    CLEANUP(untagged_done) struct untagged record = {0};
    CLEANUP_FREE char *text = NULL;
    struct key key = key_in_repository(name, KEY_UNTAGGED);
    size_t size;
    int r = storage_get(store->storage, key.text, RECORD_MAX, STORAGE_MAY_WAIT, &text, &size, err);

    for (char *line = text, *next; r == 0 && line && *line; line = next) {
        next = strchr(line, '\n');
        next = next ? next + 1 : line + strlen(line);
        r = parse_line(&record, line);
    }
    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r < 0)
        return r;
    if (record.count > 1)
        qsort(record.items, record.count, sizeof(*record.items), compare_entries);
    *ret = record;
    record = (struct untagged){0};
    return 0;
}

int64_t untagged_find(const struct untagged *record, const struct digest_id *id, int64_t now_s)
{
    const struct untagged_entry wanted = {.id = *id}, *found = NULL;

    if (record->count > 0)
        found = bsearch(&wanted, record->items, record->count, sizeof(wanted), compare_entries);
    return found && found->since_s < now_s ? found->since_s : now_s;
}

bool untagged_is_same(const struct untagged *a, const struct untagged *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++)
        if (compare_entries(&a->items[i], &b->items[i]) != 0 ||
            a->items[i].since_s != b->items[i].since_s)
            return false;
    return a->count == b->count;
}

int untagged_write(struct store *store, const char *name, const struct untagged *record,
                   struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    struct key key = key_in_repository(name, KEY_UNTAGGED);
    const char *keys[] = {key.text};
    size_t size = 0;
    FILE *out = record->count > 0 ? open_memstream(&text, &size) : NULL;

    if (record->count == 0)
        return storage_remove(store->storage, keys, 1, err);
    if (!out)
        return error_set_oom(err);
    for (size_t i = 0; i < record->count; i++) {
        struct digest digest;

        digest_id_format(&record->items[i].id, &digest);
        fprintf(out, "%s %" PRId64 "\n", digest.hex, record->items[i].since_s);
    }
    if (fclose(out) != 0)
        return error_set_oom(err);
    return storage_note(store->storage, key.text, text, size, err);
}
