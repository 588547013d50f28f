#include "tests/unit/registry-storage/memory-storage.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { START_S = 1000000000 };

/* The bytes of an object or an upload, which readers share. */
struct bytes {
    unsigned references;
    size_t size;
    char data[];
};

/* An object, or an upload, which is not visible as an object. */
struct object {
    char *key;
    struct bytes *bytes;
    uint64_t version;
    int64_t used_s;
    bool is_upload;
    uint64_t holder; /* the claim of an upload; 0: none */
};

/* The claims on a prefix. */
struct holding {
    struct holding *next;
    char *prefix;
    uint64_t id;
    bool is_exclusive, is_waiting;
};

struct memory_storage {
    struct storage storage;
    pthread_mutex_t mutex;
    struct object **objects; /* sorted by key */
    size_t count;
    struct holding *holdings;
    uint64_t last_number; /* of versions and claims */
    int64_t now_s;
    bool is_far;
};

struct memory_reader {
    struct storage_reader reader;
    struct memory_storage *storage;
    struct bytes *bytes;
    bool has_waited; /* so the next read need not */
};

struct memory_upload {
    struct storage_upload upload;
    struct memory_storage *storage;
    uint64_t holder;
    char key[];
};

struct memory_claim {
    struct storage_claim claim;
    struct memory_storage *storage;
    uint64_t id;
};

/* --- with the mutex held ----------------------------------------------------------------- */

static struct bytes *bytes_new(const void *data, size_t size)
{
    struct bytes *bytes = malloc(sizeof(*bytes) + size + 1);

    if (!bytes)
        abort();
    *bytes = (struct bytes){.references = 1, .size = size};
    if (size > 0)
        memcpy(bytes->data, data, size);
    return bytes;
}

static void bytes_unref(struct bytes *bytes)
{
    if (bytes && --bytes->references == 0)
        free(bytes);
}

static void object_free(struct object *object)
{
    bytes_unref(object->bytes);
    free(object->key);
    free(object);
}

/* Returns the index of the first key that is not less. */
static size_t find_place(const struct memory_storage *storage, const char *key)
{
    size_t low = 0, high = storage->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(storage->objects[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct object *find_any(const struct memory_storage *storage, const char *key)
{
    size_t i = find_place(storage, key);

    return i < storage->count && strcmp(storage->objects[i]->key, key) == 0 ? storage->objects[i]
                                                                            : NULL;
}

static struct object *find(const struct memory_storage *storage, const char *key)
{
    struct object *object = find_any(storage, key);

    return object && !object->is_upload ? object : NULL;
}

static void remove_at(struct memory_storage *storage, size_t i)
{
    object_free(storage->objects[i]);
    storage->count--;
    memmove(&storage->objects[i], &storage->objects[i + 1],
            (storage->count - i) * sizeof(*storage->objects));
}

/* Takes ownership of bytes. */
static struct object *set(struct memory_storage *storage, const char *key, struct bytes *bytes)
{
    size_t i = find_place(storage, key);
    struct object *object = find_any(storage, key);

    if (!object) {
        object = calloc(1, sizeof(*object));
        storage->objects =
            realloc(storage->objects, (storage->count + 1) * sizeof(*storage->objects));
        if (!object || !storage->objects)
            abort();
        memmove(&storage->objects[i + 1], &storage->objects[i],
                (storage->count - i) * sizeof(*storage->objects));
        storage->objects[i] = object;
        storage->count++;
        object->key = strdup(key);
    }
    bytes_unref(object->bytes);
    object->bytes = bytes;
    object->version = ++storage->last_number;
    object->used_s = storage->now_s;
    object->is_upload = false;
    object->holder = 0;
    return object;
}

static void describe(const struct object *object, struct storage_object *ret)
{
    *ret = (struct storage_object){.size = object->bytes->size, .version = {{object->version}}};
}

static struct memory_storage *lock(struct storage *base)
{
    struct memory_storage *storage = (struct memory_storage *)base;

    pthread_mutex_lock(&storage->mutex);
    return storage;
}

static int unlock(struct memory_storage *storage, int r)
{
    pthread_mutex_unlock(&storage->mutex);
    return r;
}

static bool would_wait(const struct memory_storage *storage, enum storage_waiting waiting)
{
    return storage->is_far && waiting == STORAGE_MUST_NOT_WAIT;
}

/* --- reading ----------------------------------------------------------------------------- */

static void memory_close(struct storage *base)
{
    struct memory_storage *storage = (struct memory_storage *)base;

    while (storage->count > 0)
        remove_at(storage, storage->count - 1);
    free(storage->objects);
    pthread_mutex_destroy(&storage->mutex);
    free(storage);
}

static int memory_check(struct storage *storage, struct error *err)
{
    (void)storage;
    (void)err;
    return 0;
}

static int64_t memory_now(struct storage *base)
{
    return ((struct memory_storage *)base)->now_s;
}

static int memory_head(struct storage *base, const char *key, enum storage_waiting waiting,
                       struct storage_object *ret, struct error *err)
{
    struct memory_storage *storage = lock(base);
    const struct object *object = find(storage, key);

    (void)err;
    if (would_wait(storage, waiting))
        return unlock(storage, STORAGE_WOULD_WAIT);
    if (!object)
        return unlock(storage, STORAGE_NOT_FOUND);
    describe(object, ret);
    return unlock(storage, 0);
}

static int memory_get(struct storage *base, const char *key, size_t limit,
                      enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                      struct error *err)
{
    struct memory_storage *storage = lock(base);
    const struct object *object = find(storage, key);

    if (would_wait(storage, waiting))
        return unlock(storage, STORAGE_WOULD_WAIT);
    if (!object)
        return unlock(storage, STORAGE_NOT_FOUND);
    if (object->bytes->size > limit)
        return unlock(storage, error_set(err, EFBIG, "cannot read %s: too large", key));
    *ret_size = object->bytes->size;
    *ret_bytes = malloc(*ret_size + 1);
    if (!*ret_bytes)
        abort();
    memcpy(*ret_bytes, object->bytes->data, *ret_size);
    (*ret_bytes)[*ret_size] = '\0';
    return unlock(storage, 0);
}

static int memory_open(struct storage *base, const char *key, enum storage_waiting waiting,
                       struct storage_reader **ret, struct storage_object *ret_object,
                       struct error *err)
{
    struct memory_storage *storage = lock(base);
    const struct object *object = find(storage, key);
    struct memory_reader *reader;

    (void)err;
    if (would_wait(storage, waiting))
        return unlock(storage, STORAGE_WOULD_WAIT);
    if (!object)
        return unlock(storage, STORAGE_NOT_FOUND);
    reader = calloc(1, sizeof(*reader));
    if (!reader)
        abort();
    *reader = (struct memory_reader){
        .reader.functions = base->functions, .storage = storage, .bytes = object->bytes};
    object->bytes->references++;
    describe(object, ret_object);
    *ret = &reader->reader;
    return unlock(storage, 0);
}

static ssize_t read_bytes(const struct bytes *bytes, uint64_t offset, void *ret_data, size_t size)
{
    size_t rest = offset < bytes->size ? bytes->size - offset : 0, n = size < rest ? size : rest;

    if (n > 0)
        memcpy(ret_data, bytes->data + offset, n);
    return (ssize_t)n;
}

static ssize_t memory_reader_read(struct storage_reader *base, uint64_t offset, void *ret_data,
                                  size_t size, enum storage_waiting waiting)
{
    struct memory_reader *reader = (struct memory_reader *)base;

    if (would_wait(reader->storage, waiting) && !reader->has_waited)
        return -EAGAIN;
    reader->has_waited = false;
    return read_bytes(reader->bytes, offset, ret_data, size);
}

static void memory_reader_wait(struct storage_reader *base)
{
    ((struct memory_reader *)base)->has_waited = true;
}

static int memory_reader_get_fd(struct storage_reader *reader)
{
    (void)reader;
    return -1;
}

static void memory_reader_close(struct storage_reader *base)
{
    struct memory_reader *reader = (struct memory_reader *)base;

    lock(&reader->storage->storage);
    bytes_unref(reader->bytes);
    unlock(reader->storage, 0);
    free(reader);
}

static int compare_entries(const void *a, const void *b)
{
    const struct storage_entry *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

/* All names below a prefix; keys come in order, but names do not: "a-b/" comes before "a/". */
static void add_names(const struct memory_storage *storage, const char *prefix,
                      struct storage_list *list)
{
    size_t size = strlen(prefix), last = 0;
    const char *last_name = NULL;

    for (size_t i = find_place(storage, prefix); i < storage->count; i++) {
        const char *key = storage->objects[i]->key, *name = key + size;
        size_t length;

        if (strncmp(key, prefix, size) != 0)
            break;
        length = strcspn(name, "/");
        if (last_name && length == last && memcmp(name, last_name, length) == 0)
            continue;
        if (storage_list_add(list, name, length, name[length] == '/') < 0)
            abort();
        last_name = name;
        last = length;
    }
    if (list->count > 1)
        qsort(list->entries, list->count, sizeof(*list->entries), compare_entries);
}

static int memory_list(struct storage *base, const char *prefix, const char *after, size_t limit,
                       struct storage_list *ret, struct error *err)
{
    struct memory_storage *storage = lock(base);
    struct storage_list all = {0}, page = {0};

    (void)err;
    add_names(storage, prefix, &all);
    for (size_t i = 0; i < all.count; i++) {
        const struct storage_entry *entry = all.entries[i];

        if (after && strcmp(entry->name, after) <= 0)
            continue;
        page.has_more = page.count == limit;
        if (page.has_more)
            break;
        if (storage_list_add(&page, entry->name, strlen(entry->name), entry->is_prefix) < 0)
            abort();
    }
    storage_list_done(&all);
    *ret = page;
    return unlock(storage, 0);
}

/* --- writing ----------------------------------------------------------------------------- */

static int put(struct memory_storage *storage, const struct storage_step *step)
{
    const struct object *object = find(storage, step->key);

    if (step->condition == STORAGE_IF_ABSENT && object)
        return STORAGE_CONFLICT;
    if (step->condition == STORAGE_IF_UNCHANGED &&
        (!object || object->version != step->version.words[0]))
        return STORAGE_CONFLICT;
    set(storage, step->key, bytes_new(step->data, step->size));
    return 0;
}

static int publish(struct memory_storage *storage, const struct storage_step *step)
{
    const struct memory_upload *upload = (struct memory_upload *)step->upload;
    struct object *object = find_any(storage, upload->key);

    if (!object || object->holder != upload->holder)
        return STORAGE_CLAIM_LOST;
    if (find(storage, step->key))
        return STORAGE_CONFLICT;
    object->bytes->references++;
    set(storage, step->key, object->bytes);
    remove_at(storage, find_place(storage, upload->key));
    return 0;
}

static int make_step(struct memory_storage *storage, const struct storage_step *step)
{
    struct object *object;

    switch (step->kind) {
    case STORAGE_PUT:
        return put(storage, step);
    case STORAGE_PUBLISH:
        return publish(storage, step);
    case STORAGE_KEEP:
        object = find(storage, step->key);
        if (object)
            object->used_s = storage->now_s;
        return object ? 0 : STORAGE_NOT_FOUND;
    default:
        return 0;
    }
}

static int memory_write(struct storage *base, const struct storage_step *steps, size_t count,
                        struct error *err)
{
    int r = 0;

    (void)err;
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct memory_storage *storage = lock(base);

        r = unlock(storage, make_step(storage, &steps[i]));
    }
    return r;
}

static void remove_key(struct memory_storage *storage, const char *key)
{
    size_t size = strlen(key), i = find_place(storage, key);
    bool is_prefix = size > 0 && key[size - 1] == '/';

    while (i < storage->count && (is_prefix ? strncmp(storage->objects[i]->key, key, size) == 0
                                            : strcmp(storage->objects[i]->key, key) == 0))
        remove_at(storage, i);
}

static int memory_remove(struct storage *base, const char *const *keys, size_t count,
                         struct error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++) {
        struct memory_storage *storage = lock(base);

        remove_key(storage, keys[i]);
        unlock(storage, 0);
    }
    return 0;
}

static int memory_remove_if_unchanged(struct storage *base, const char *key,
                                      const struct storage_version *version, struct error *err)
{
    struct memory_storage *storage = lock(base);
    const struct object *object = find(storage, key);

    (void)err;
    if (!object)
        return unlock(storage, STORAGE_NOT_FOUND);
    if (object->version != version->words[0])
        return unlock(storage, STORAGE_CONFLICT);
    remove_key(storage, key);
    return unlock(storage, 0);
}

static int memory_note(struct storage *base, const char *key, const void *data, size_t size,
                       struct error *err)
{
    struct memory_storage *storage = lock(base);

    (void)err;
    set(storage, key, bytes_new(data, size));
    return unlock(storage, 0);
}

/* --- garbage collection ------------------------------------------------------------------ */

static int memory_refresh(struct storage *base, const char *key, enum storage_waiting waiting,
                          struct storage_object *ret, struct error *err)
{
    struct memory_storage *storage = lock(base);
    struct object *object = find(storage, key);

    (void)err;
    if (would_wait(storage, waiting))
        return unlock(storage, STORAGE_WOULD_WAIT);
    if (!object)
        return unlock(storage, STORAGE_NOT_FOUND);
    object->used_s = storage->now_s;
    describe(object, ret);
    return unlock(storage, 0);
}

/* Whether key or anything below it was used at that time or later. STORAGE_NOT_FOUND. */
static int find_use(const struct memory_storage *storage, const char *key, int64_t moment_s,
                    bool *ret)
{
    size_t size = strlen(key), i = find_place(storage, key);
    bool is_prefix = key[size - 1] == '/', is_found = false;

    *ret = false;
    for (; i < storage->count && strncmp(storage->objects[i]->key, key, size) == 0; i++) {
        if (!is_prefix && storage->objects[i]->key[size])
            break;
        is_found = true;
        *ret = *ret || storage->objects[i]->used_s >= moment_s;
    }
    return is_found ? 0 : STORAGE_NOT_FOUND;
}

static int memory_used_since(struct storage *base, const char *key, int64_t moment_s, bool *ret,
                             struct error *err)
{
    struct memory_storage *storage = lock(base);
    bool is_used;
    int r = find_use(storage, key, moment_s, &is_used);

    (void)err;
    if (r == 0)
        *ret = is_used;
    return unlock(storage, r);
}

static int memory_last_use(struct storage *base, const char *key, int64_t *ret_ns,
                           struct error *err)
{
    struct memory_storage *storage = lock(base);
    const struct object *object = find(storage, key);

    (void)err;
    if (object)
        *ret_ns = object->used_s * 1000000000;
    return unlock(storage, object ? 0 : STORAGE_NOT_FOUND);
}

static int memory_remove_unused(struct storage *base, struct storage_removal *removals,
                                size_t count, int64_t moment_s, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++) {
        struct memory_storage *storage = lock(base);
        struct storage_removal *removal = &removals[i];
        bool is_used = false;

        for (size_t k = 0; !is_used && k < removal->witness_count; k++)
            (void)find_use(storage, removal->witnesses[k], moment_s, &is_used);
        removal->is_spared = is_used;
        for (size_t k = 0; !is_used && k < removal->key_count; k++)
            remove_key(storage, removal->keys[k]);
        unlock(storage, 0);
    }
    return 0;
}

static int memory_clean_up(struct storage *storage, int64_t age_s, struct error *err)
{
    (void)storage;
    (void)age_s;
    (void)err;
    return 0;
}

/* --- uploads ----------------------------------------------------------------------------- */

static bool pause_for_a_millisecond(unsigned *patience_ms)
{
    if (*patience_ms == 0)
        return false;
    --*patience_ms;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return true;
}

/* One attempt, with the mutex held. */
static int try_to_open(struct memory_storage *storage, const char *key,
                       enum storage_upload_mode mode, uint64_t *ret_holder)
{
    struct object *object = find_any(storage, key);

    if (mode == STORAGE_UPLOAD_NEW) {
        if (object)
            return STORAGE_CONFLICT;
        object = set(storage, key, bytes_new(NULL, 0));
        object->is_upload = true;
    }
    if (!object)
        return STORAGE_NOT_FOUND;
    if (object->holder)
        return STORAGE_WOULD_WAIT;
    *ret_holder = object->holder = ++storage->last_number;
    return 0;
}

static int memory_upload_open(struct storage *base, const char *key, enum storage_upload_mode mode,
                              unsigned patience_ms, struct storage_upload **ret, struct error *err)
{
    struct memory_upload *upload;
    struct memory_storage *storage;
    uint64_t holder = 0;
    int r;

    (void)err;
    do {
        storage = lock(base);
        r = unlock(storage, try_to_open(storage, key, mode, &holder));
    } while (r == STORAGE_WOULD_WAIT && pause_for_a_millisecond(&patience_ms));
    if (r != 0)
        return r;
    upload = calloc(1, sizeof(*upload) + strlen(key) + 1);
    if (!upload)
        abort();
    *upload = (struct memory_upload){
        .upload.functions = base->functions, .storage = storage, .holder = holder};
    memcpy(upload->key, key, strlen(key) + 1);
    *ret = &upload->upload;
    return 0;
}

static bool memory_dates_uploads(const struct storage *storage)
{
    (void)storage;
    return false;
}

static int memory_upload_head(struct storage *base, const char *key, uint64_t *ret_size,
                              int64_t *ret_started_s, struct error *err)
{
    struct memory_storage *storage = lock(base);
    const struct object *object = find_any(storage, key);

    (void)err;
    if (!object)
        return unlock(storage, STORAGE_NOT_FOUND);
    *ret_size = object->bytes->size;
    *ret_started_s = 0;
    return unlock(storage, 0);
}

/* With the mutex held: returns the upload if its claim is still valid. */
static struct object *find_held(const struct memory_upload *upload)
{
    struct object *object = find_any(upload->storage, upload->key);

    return object && object->holder == upload->holder ? object : NULL;
}

static int memory_upload_get_state(struct storage_upload *base, struct storage_upload_state *ret,
                                   struct error *err)
{
    const struct memory_upload *upload = (struct memory_upload *)base;
    struct memory_storage *storage = lock(&upload->storage->storage);
    const struct object *object = find_held(upload);

    if (!object)
        return unlock(storage, error_set(err, ESTALE, "the claim on %s is lost", upload->key));
    *ret =
        (struct storage_upload_state){.size = object->bytes->size, .version = {{object->version}}};
    return unlock(storage, 0);
}

static int memory_upload_append(struct storage_upload *base, uint64_t offset, const void *data,
                                size_t size, struct error *err)
{
    const struct memory_upload *upload = (struct memory_upload *)base;
    struct memory_storage *storage = lock(&upload->storage->storage);
    struct object *object = find_held(upload);
    struct bytes *bytes;

    (void)err;
    if (!object)
        return unlock(storage, STORAGE_CLAIM_LOST);
    if (object->bytes->size != offset)
        return unlock(storage, STORAGE_WRONG_OFFSET);
    bytes = realloc(object->bytes, sizeof(*bytes) + offset + size + 1);
    if (!bytes)
        abort();
    if (size > 0)
        memcpy(bytes->data + offset, data, size);
    bytes->size = offset + size;
    object->bytes = bytes;
    object->version = ++storage->last_number;
    object->used_s = storage->now_s;
    return unlock(storage, 0);
}

static int memory_upload_keep(struct storage_upload *base, struct error *err)
{
    const struct memory_upload *upload = (struct memory_upload *)base;
    struct memory_storage *storage = lock(&upload->storage->storage);

    (void)err;
    return unlock(storage, find_held(upload) ? 0 : STORAGE_CLAIM_LOST);
}

static ssize_t memory_upload_read(struct storage_upload *base, uint64_t offset, void *ret_data,
                                  size_t size)
{
    const struct memory_upload *upload = (struct memory_upload *)base;
    struct memory_storage *storage = lock(&upload->storage->storage);
    const struct object *object = find_held(upload);

    return unlock(storage,
                  object ? (int)read_bytes(object->bytes, offset, ret_data, size) : -ESTALE);
}

static int memory_upload_discard(struct storage_upload *base, struct error *err)
{
    const struct memory_upload *upload = (struct memory_upload *)base;
    struct memory_storage *storage = lock(&upload->storage->storage);

    (void)err;
    if (find_held(upload))
        remove_key(storage, upload->key);
    return unlock(storage, 0);
}

static bool memory_upload_would_wait(const struct storage_upload *upload, size_t size)
{
    (void)size;
    return ((const struct memory_upload *)upload)->storage->is_far;
}

static void memory_upload_close(struct storage_upload *base)
{
    struct memory_upload *upload = (struct memory_upload *)base;
    struct memory_storage *storage = lock(&upload->storage->storage);
    struct object *object = find_held(upload);

    if (object)
        object->holder = 0;
    unlock(storage, 0);
    free(upload);
}

/* --- claims ------------------------------------------------------------------------------ */

/*
 * Whether another claim on the prefix conflicts. A shared claim also waits for waiting exclusive
 * claims.
 */
static bool is_held(const struct memory_storage *storage, const struct holding *mine)
{
    for (const struct holding *other = storage->holdings; other; other = other->next) {
        if (other == mine || strcmp(other->prefix, mine->prefix) != 0)
            continue;
        if (mine->is_exclusive ? !other->is_waiting || other->id < mine->id : other->is_exclusive)
            return true;
    }
    return false;
}

static void drop_holding(struct memory_storage *storage, uint64_t id)
{
    struct holding **at = &storage->holdings, *holding;

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    holding = *at;
    if (!holding)
        return;
    *at = holding->next;
    free(holding->prefix);
    free(holding);
}

static int memory_claim(struct storage *base, const char *prefix, enum storage_claim_mode mode,
                        unsigned patience_ms, struct storage_claim **ret, struct error *err)
{
    struct memory_storage *storage = lock(base);
    struct holding *holding = calloc(1, sizeof(*holding));
    struct memory_claim *claim = calloc(1, sizeof(*claim));
    bool is_ours;

    (void)err;
    if (!holding || !claim)
        abort();
    *holding = (struct holding){.next = storage->holdings,
                                .prefix = strdup(prefix),
                                .id = ++storage->last_number,
                                .is_exclusive = mode == STORAGE_EXCLUSIVE,
                                .is_waiting = true};
    storage->holdings = holding;
    *claim = (struct memory_claim){
        .claim.functions = base->functions, .storage = storage, .id = holding->id};
    do {
        is_ours = !is_held(storage, holding);
        holding->is_waiting = !is_ours;
        if (!is_ours && patience_ms == 0)
            drop_holding(storage, claim->id);
        unlock(storage, 0);
        if (is_ours || !pause_for_a_millisecond(&patience_ms))
            break;
        lock(base);
    } while (true);
    if (is_ours)
        *ret = &claim->claim;
    else
        free(claim);
    return is_ours ? 0 : STORAGE_WOULD_WAIT;
}

static int memory_claim_check(struct storage_claim *base, struct error *err)
{
    const struct memory_claim *claim = (struct memory_claim *)base;
    struct memory_storage *storage = lock(&claim->storage->storage);
    const struct holding *holding = storage->holdings;

    (void)err;
    while (holding && holding->id != claim->id)
        holding = holding->next;
    return unlock(storage, holding ? 0 : STORAGE_CLAIM_LOST);
}

static void memory_claim_release(struct storage_claim *base)
{
    struct memory_claim *claim = (struct memory_claim *)base;
    struct memory_storage *storage = lock(&claim->storage->storage);

    drop_holding(storage, claim->id);
    unlock(storage, 0);
    free(claim);
}

/* --- for tests --------------------------------------------------------------------------- */

static int memory_list_keys(struct storage *base, const char *prefix, const char *after,
                            size_t limit, struct storage_list *ret, struct error *err)
{
    struct memory_storage *storage = lock(base);
    size_t size = strlen(prefix);
    struct storage_list list = {0};

    (void)err;
    for (size_t i = find_place(storage, prefix); i < storage->count && !list.has_more; i++) {
        const char *key = storage->objects[i]->key, *rest = key + size;

        if (strncmp(key, prefix, size) != 0)
            break;
        if (storage->objects[i]->is_upload || (after && strcmp(rest, after) <= 0))
            continue;
        list.has_more = list.count == limit;
        if (!list.has_more && storage_list_add(&list, rest, strlen(rest), false) < 0)
            abort();
    }
    *ret = list;
    return unlock(storage, 0);
}

static bool memory_is_remote(const struct storage *storage)
{
    return ((const struct memory_storage *)storage)->is_far;
}

static void memory_count_requests(struct storage *base, struct storage_request_counters *ret)
{
    (void)base;
    *ret = (struct storage_request_counters){0};
}

static void memory_count_cache(struct storage *base, struct storage_cache_counters *ret)
{
    (void)base;
    *ret = (struct storage_cache_counters){0};
}

static int memory_begin_collection(struct storage *storage, struct error *err)
{
    (void)storage;
    (void)err;
    return 0; /* objects remember their own last use */
}

static void memory_end_collection(struct storage *storage)
{
    (void)storage;
}

static const struct storage_functions memory_functions = {
    .close = memory_close,
    .check = memory_check,
    .now = memory_now,
    .is_remote = memory_is_remote,
    .count_cache = memory_count_cache,
    .count_requests = memory_count_requests,
    .head = memory_head,
    .get = memory_get,
    .open = memory_open,
    .reader_read = memory_reader_read,
    .reader_wait = memory_reader_wait,
    .reader_get_fd = memory_reader_get_fd,
    .reader_close = memory_reader_close,
    .list = memory_list,
    .list_keys = memory_list_keys,
    .write = memory_write,
    .remove = memory_remove,
    .remove_if_unchanged = memory_remove_if_unchanged,
    .note = memory_note,
    .refresh = memory_refresh,
    .begin_collection = memory_begin_collection,
    .end_collection = memory_end_collection,
    .used_since = memory_used_since,
    .last_use = memory_last_use,
    .remove_unused = memory_remove_unused,
    .clean_up = memory_clean_up,
    .upload_open = memory_upload_open,
    .dates_uploads = memory_dates_uploads,
    .upload_head = memory_upload_head,
    .upload_get_state = memory_upload_get_state,
    .upload_append = memory_upload_append,
    .upload_keep = memory_upload_keep,
    .upload_read = memory_upload_read,
    .upload_discard = memory_upload_discard,
    .upload_close = memory_upload_close,
    .upload_would_wait = memory_upload_would_wait,
    .claim = memory_claim,
    .claim_check = memory_claim_check,
    .claim_release = memory_claim_release,
};

struct storage *memory_storage_new(void)
{
    struct memory_storage *storage = calloc(1, sizeof(*storage));

    if (!storage)
        abort();
    storage->storage.functions = &memory_functions;
    storage->now_s = START_S;
    pthread_mutex_init(&storage->mutex, NULL);
    return &storage->storage;
}

void memory_storage_set_far(struct storage *base, bool is_far)
{
    ((struct memory_storage *)base)->is_far = is_far;
}

void memory_storage_pass_time(struct storage *base, int64_t seconds)
{
    ((struct memory_storage *)base)->now_s += seconds;
}

void memory_storage_expire_claims(struct storage *base)
{
    struct memory_storage *storage = lock(base);

    for (size_t i = 0; i < storage->count; i++)
        storage->objects[i]->holder = 0;
    while (storage->holdings)
        drop_holding(storage, storage->holdings->id);
    unlock(storage, 0);
}

void memory_storage_set(struct storage *base, const char *key, const void *data, size_t size)
{
    struct memory_storage *storage = lock(base);

    set(storage, key, bytes_new(data, size));
    unlock(storage, 0);
}
