/*
 * Copies records, which are small objects of our own. What belongs to the servers of one storage
 * stays behind: leases, promises, claims, the schedule of collections, and the counts of quotas,
 * which a server makes again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/copy-repository.h"
#include "registry/core/store-private.h"

enum { RECORD_MAX = 64 << 20, SECOND_NS = 1000000000 };

static void join(const char *prefix, const struct storage_entry *entry, struct key *ret)
{
    snprintf(ret->text, sizeof(ret->text), "%s%s%s", prefix, entry->name,
             entry->is_prefix ? "/" : "");
}

/* --- objects --------------------------------------------------------------------------------- */

/* Copies an object, or all objects below a prefix, if they differ. 0 or negative. */
static int copy_all(const struct copy *copy, const char *key, struct error *err);

static int copy_object(const struct copy *copy, const char *key, struct error *err)
{
    char *bytes = NULL;
    size_t size;
    int r = storage_get(copy->from->storage, key, RECORD_MAX, STORAGE_MAY_WAIT, &bytes, &size, err);

    if (r != 0)
        return r < 0 ? r : 0;
    r = copy_put(copy, key, bytes, size, err);
    explicit_bzero(bytes, size); /* it may be a secret */
    free(bytes);
    return r;
}

struct records {
    const struct copy *copy;
    const char *prefix;
    struct storage_list list;
};

static void records_done(struct records *records)
{
    storage_list_done(&records->list);
}

static int copy_entry(void *object, size_t index, struct error *err)
{
    const struct records *records = object;
    struct key key;

    join(records->prefix, records->list.entries[index], &key);
    return copy_all(records->copy, key.text, err);
}

static int copy_all(const struct copy *copy, const char *key, struct error *err)
{
    CLEANUP(records_done) struct records records = {.copy = copy, .prefix = key};
    size_t size = strlen(key);
    int r;

    if (size == 0 || key[size - 1] != '/')
        return copy_object(copy, key, err);
    r = storage_list(copy->from->storage, key, NULL, SIZE_MAX, &records.list, err);
    return r < 0 ? r
                 : parallel_for(copy->threads, records.list.count, COPY_OBJECTS_AT_ONCE, copy_entry,
                                &records, err);
}

/* --- pulls ----------------------------------------------------------------------------------- */

static int find_time(struct store *store, const char *key, int64_t *ret_s, struct error *err)
{
    int64_t ns = 0;
    int r = storage_last_use(store->storage, key, &ns, err);

    *ret_s = ns / SECOND_NS;
    return r < 0 ? r : 0;
}

/* The time of a record of a pull is that of its object, so a later pull is written again. */
static int copy_pull(void *object, size_t index, struct error *err)
{
    const struct records *records = object;
    const struct copy *copy = records->copy;
    CLEANUP_FREE char *bytes = NULL;
    int64_t from_s, to_s = 0;
    struct key key;
    size_t size;
    int r;

    join(records->prefix, records->list.entries[index], &key);
    r = find_time(copy->from, key.text, &from_s, err);
    if (r == 0)
        r = find_time(copy->to, key.text, &to_s, err);
    if (r < 0 || to_s >= from_s)
        return r;
    r = storage_get(copy->from->storage, key.text, RECORD_MAX, STORAGE_MAY_WAIT, &bytes, &size,
                    err);
    if (r == 0)
        r = storage_note(copy->to->storage, key.text, bytes, size, err);
    if (r == 0)
        copy_report_count(copy->report, &copy->report->result.links);
    return r < 0 ? r : 0;
}

static int copy_pulls(const struct copy *copy, const char *name, const char *kind,
                      struct error *err)
{
    CLEANUP(records_done) struct records records = {.copy = copy};
    struct key prefix = key_in_repository(name, KEY_PULLED);
    size_t size = strlen(prefix.text);
    int r;

    snprintf(prefix.text + size, sizeof(prefix.text) - size, "%s/", kind);
    records.prefix = prefix.text;
    r = storage_list(copy->from->storage, prefix.text, NULL, SIZE_MAX, &records.list, err);
    return r < 0 ? r
                 : parallel_for(copy->threads, records.list.count, COPY_OBJECTS_AT_ONCE, copy_pull,
                                &records, err);
}

/* --- all ------------------------------------------------------------------------------------- */

/* A registry of registry:2 has no such records. */
int copy_repository_records(const struct copy *copy, const char *name, struct error *err)
{
    static const char *const kinds[] = {"tags", "sha256", "sha512"};
    struct key all = key_in_repository(name, "_registryd/");
    struct key pushed = key_in_repository(name, KEY_PUSHED);
    struct key untagged = key_in_repository(name, KEY_UNTAGGED);
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = storage_list(copy->from->storage, all.text, NULL, SIZE_MAX, &list, err);

    if (r < 0 || list.count == 0)
        return r;
    r = copy_all(copy, pushed.text, err);
    if (r == 0)
        r = copy_all(copy, untagged.text, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
        r = copy_pulls(copy, name, kinds[i], err);
    return r;
}

/* Without this, a login that was revoked at the source would count again. */
static int remove_revoked(const struct copy *copy, const char *prefix, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = storage_list(copy->to->storage, prefix, NULL, SIZE_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < list.count; i++) {
        struct storage_object object;
        struct key key;
        const char *const keys[] = {key.text};

        join(prefix, list.entries[i], &key);
        if (list.entries[i]->is_prefix) {
            r = remove_revoked(copy, key.text, err);
            continue;
        }
        r = storage_head(copy->from->storage, key.text, STORAGE_MAY_WAIT, &object, err);
        if (r == STORAGE_NOT_FOUND)
            r = storage_remove(copy->to->storage, keys, 1, err);
    }
    return r;
}

int copy_common_records(const struct copy *copy, struct error *err)
{
    static const char *const records[] = {KEY_RECORDS "pulls", KEY_RECORDS "page/space",
                                          KEY_RECORDS "robots/", STORAGE_PRIVATE};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(records); i++)
        r = copy_all(copy, records[i], err);
    if (r == 0 && copy->options->does_delete)
        r = remove_revoked(copy, STORAGE_PRIVATE "identity/", err);
    return r;
}
