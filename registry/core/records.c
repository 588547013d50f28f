#include "registry/core/records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/store-private.h"

static struct key key_record(const char *path)
{
    struct key key;

    snprintf(key.text, sizeof(key.text), KEY_RECORDS "%.*s", RECORD_PATH_MAX, path);
    return key;
}

int store_note_record(struct store *store, const char *path, const char *text, struct error *err)
{
    struct key key = key_record(path);

    return storage_note(store->storage, key.text, text, strlen(text), err);
}

int store_read_record(struct store *store, const char *path, char **ret, struct error *err)
{
    struct key key = key_record(path);
    size_t size;

    return store_outcome(
        storage_get(store->storage, key.text, RECORD_SIZE_MAX, STORAGE_MAY_WAIT, ret, &size, err));
}

int store_note_number(struct store *store, const char *path, int64_t number, struct error *err)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64 "\n", number);
    return store_note_record(store, path, text, err);
}

int store_read_number(struct store *store, const char *path, int64_t *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    char *end;
    int64_t number;
    int r = store_read_record(store, path, &text, err);

    if (r != 0)
        return r;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (end == text || *end != '\n' || errno != 0)
        return STORE_NOT_FOUND;
    *ret = number;
    return 0;
}
