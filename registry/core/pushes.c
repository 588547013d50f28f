#include "registry/core/pushes.h"

#include <stdio.h>
#include <string.h>

#include "registry/core/store-private.h"

enum { RECORD_SIZE = DIGEST_TEXT_SIZE + PUSH_ACTOR_MAX + 8 };

int store_note_push(struct store *store, const char *name, const char *tag,
                    const struct digest *digest, const char *actor, struct error *err)
{
    struct key key = key_pushed_tag(name, tag);
    char record[RECORD_SIZE], text[DIGEST_TEXT_SIZE];
    int size;

    digest_format(digest, text);
    size = snprintf(record, sizeof(record), "%s %.*s", text, PUSH_ACTOR_MAX, actor);
    return storage_note(store->storage, key.text, record, (size_t)size, err);
}

int store_find_push(struct store *store, const char *name, const char *tag,
                    const struct digest *digest, char ret_actor[PUSH_ACTOR_MAX + 1],
                    struct error *err)
{
    struct key key = key_pushed_tag(name, tag);
    CLEANUP_FREE char *record = NULL;
    char text[DIGEST_TEXT_SIZE];
    size_t size, digest_size;
    int r = storage_get(store->storage, key.text, RECORD_SIZE, STORAGE_MAY_WAIT, &record, &size,
                        err);

    if (r != 0)
        return store_outcome(r);
    digest_format(digest, text);
    digest_size = strlen(text);
    if (size <= digest_size + 1 || memcmp(record, text, digest_size) != 0 ||
        record[digest_size] != ' ')
        return STORE_NOT_FOUND;
    snprintf(ret_actor, PUSH_ACTOR_MAX + 1, "%s", record + digest_size + 1);
    return 0;
}
