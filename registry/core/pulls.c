#include "registry/core/pulls.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/time-units.h"
#include "registry/core/lists.h"
#include "registry/core/records.h"
#include "registry/core/store-private.h"

enum { BUCKETS = 4096, FORGET_AFTER_S = 24 * 60 * 60 };

#define MARKER "pulls"

struct pull {
    struct pull *next;
    uint32_t hash;
    bool is_due;     /* pulled since it was written */
    int64_t noted_s; /* when it was written; 0: never */
    char key[];
};

struct pull_log {
    pthread_mutex_t lock; /* protects everything below */
    struct pull *buckets[BUCKETS];
    size_t count;
    bool is_full; /* a pull was not recorded */
};

/* --- gathering --------------------------------------------------------------------------- */

static struct key key_pull(const char *name, const char *tag, const struct digest *digest)
{
    return tag ? key_pulled_tag(name, tag) : key_pulled_manifest(name, digest);
}

static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static struct pull *find_pull(struct pull_log *log, const char *key, uint32_t hash)
{
    struct pull *pull = log->buckets[hash % BUCKETS];

    while (pull && (pull->hash != hash || strcmp(pull->key, key) != 0))
        pull = pull->next;
    return pull;
}

static struct pull *add_pull(struct pull_log *log, const char *key, uint32_t hash)
{
    size_t size = strlen(key) + 1;
    struct pull *pull = log->count < PULL_LOG_MAX ? malloc(sizeof(*pull) + size) : NULL;

    if (!pull)
        return NULL;
    *pull = (struct pull){.next = log->buckets[hash % BUCKETS], .hash = hash};
    memcpy(pull->key, key, size);
    log->buckets[hash % BUCKETS] = pull;
    log->count++;
    return pull;
}

struct pull_log *pull_log_new(void)
{
    struct pull_log *log = calloc(1, sizeof(*log));

    if (log)
        pthread_mutex_init(&log->lock, NULL);
    return log;
}

void pull_log_free(struct pull_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (log->buckets[i]) {
            struct pull *next = log->buckets[i]->next;

            free(log->buckets[i]);
            log->buckets[i] = next;
        }
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void pull_log_add(struct pull_log *log, const char *name, const char *tag,
                  const struct digest *digest)
{
    struct key key = key_pull(name, tag, digest);
    uint32_t hash = hash_of(key.text);
    struct pull *pull;

    pthread_mutex_lock(&log->lock);
    pull = find_pull(log, key.text, hash);
    if (!pull)
        pull = add_pull(log, key.text, hash);
    if (pull)
        pull->is_due = true;
    else
        log->is_full = true;
    pthread_mutex_unlock(&log->lock);
}

/* --- writing ----------------------------------------------------------------------------- */

/* Copies the keys that are due, so that the lock is held only briefly and not during I/O. */
static int take_due(struct pull_log *log, int64_t now_s, struct store_names *ret, bool *ret_is_full)
{
    int r = 0;

    pthread_mutex_lock(&log->lock);
    *ret_is_full = log->is_full;
    log->is_full = false;
    pthread_mutex_unlock(&log->lock);
    for (size_t i = 0; r == 0 && i < BUCKETS; i++) {
        pthread_mutex_lock(&log->lock);
        for (struct pull *pull = log->buckets[i]; r == 0 && pull; pull = pull->next)
            if (pull->is_due && (pull->noted_s == 0 || now_s >= pull->noted_s + PULL_INTERVAL_S))
                r = store_names_add(ret, pull->key);
        pthread_mutex_unlock(&log->lock);
    }
    return r;
}

/*
 * A pull that arrived while its key was being written is no longer due, because the record is as
 * recent.
 */
static void set_noted(struct pull_log *log, const char *key, int64_t now_s)
{
    struct pull *pull;

    pthread_mutex_lock(&log->lock);
    pull = find_pull(log, key, hash_of(key));
    if (pull) {
        pull->is_due = false;
        pull->noted_s = now_s;
    }
    pthread_mutex_unlock(&log->lock);
}

/* Drops keys that were not pulled for a while, to make room. */
static void drop_idle(struct pull_log *log, int64_t now_s)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        pthread_mutex_lock(&log->lock);
        for (struct pull **at = &log->buckets[i]; *at;) {
            struct pull *pull = *at;

            if (pull->is_due || now_s < pull->noted_s + PULL_INTERVAL_S) {
                at = &pull->next;
                continue;
            }
            *at = pull->next;
            free(pull);
            log->count--;
        }
        pthread_mutex_unlock(&log->lock);
    }
}

static int read_marker(struct store *store, int64_t *ret_since_s, int64_t *ret_seen_s,
                       struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    int r = store_read_record(store, MARKER, &text, err);

    if (r == 0 && sscanf(text, "%" SCNd64 " %" SCNd64, ret_since_s, ret_seen_s) != 2)
        r = STORE_NOT_FOUND;
    return r;
}

/* Updates the marker once an hour, and immediately if recording starts again. */
static int update_marker(struct store *store, int64_t now_s, bool begins_anew, struct error *err)
{
    int64_t since_s = now_s, seen_s = 0;
    char text[64];
    int r = read_marker(store, &since_s, &seen_s, err);

    if (r < 0)
        return r;
    if (begins_anew || r == STORE_NOT_FOUND || now_s > seen_s + PULL_GAP_MAX_S)
        since_s = now_s;
    else if (now_s < seen_s + PULL_INTERVAL_S)
        return 0;
    snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 "\n", since_s, now_s);
    return store_note_record(store, MARKER, text, err);
}

int pull_log_flush(struct pull_log *log, struct store *store, struct error *err)
{
    CLEANUP(store_names_done) struct store_names due = {0};
    int64_t now_s = storage_now(store->storage);
    struct error first = {0}, more;
    bool is_full = false;
    int result = take_due(log, now_s, &due, &is_full), r;

    if (result < 0)
        error_set_oom(&first);
    for (size_t i = 0; i < due.count; i++) {
        r = storage_note(store->storage, due.items[i], "", 0, result < 0 ? &more : &first);
        if (r == 0)
            set_noted(log, due.items[i], now_s);
        result = result < 0 ? result : r;
    }
    drop_idle(log, now_s);
    r = update_marker(store, now_s, is_full, result < 0 ? &more : &first);
    result = result < 0 ? result : r;
    if (result < 0)
        *err = first;
    return result;
}

/* --- reading ----------------------------------------------------------------------------- */

int store_find_recording(struct store *store, int64_t *ret_s, struct error *err)
{
    int64_t since_s, seen_s;
    int r = read_marker(store, &since_s, &seen_s, err);

    if (r == 0 && storage_now(store->storage) > seen_s + PULL_GAP_MAX_S)
        r = STORE_NOT_FOUND;
    if (r == 0)
        *ret_s = since_s;
    return r;
}

static int find_record(struct store *store, const struct key *key, int64_t *newest_s,
                       struct error *err)
{
    int64_t used_ns;
    int r = storage_last_use(store->storage, key->text, &used_ns, err);

    if (r == 0 && used_ns / NS_PER_S > *newest_s)
        *newest_s = used_ns / NS_PER_S;
    return r < 0 ? r : 0;
}

int store_find_pull(struct store *store, const char *name, const char *tag,
                    const struct digest *digest, int64_t *ret_s, struct error *err)
{
    struct key by_tag = key_pull(name, tag, NULL), by_digest = key_pull(name, NULL, digest);
    int64_t newest_s = 0;
    int r = find_record(store, &by_tag, &newest_s, err);

    if (r == 0)
        r = find_record(store, &by_digest, &newest_s, err);
    if (r == 0)
        *ret_s = newest_s;
    return r;
}

/* --- forgetting -------------------------------------------------------------------------- */

/* A record stays if it was written recently, or if its tag or manifest was pushed recently. */
static int forget(struct store *store, const struct key *record, const struct key *link,
                  struct error *err)
{
    const char *const keys[] = {record->text}, *const witnesses[] = {record->text, link->text};
    struct storage_removal removal = {
        .keys = keys, .key_count = 1, .witnesses = witnesses, .witness_count = 2};
    struct storage_object object;
    int r = storage_head(store->storage, link->text, STORAGE_MAY_WAIT, &object, err);

    if (r != STORAGE_NOT_FOUND)
        return r;
    return storage_remove_unused(store->storage, &removal, 1,
                                 storage_now(store->storage) - FORGET_AFTER_S, err);
}

static int forget_kind(struct store *store, const char *name, const char *kind, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    char path[64];
    struct key prefix, record, link;
    int r;

    snprintf(path, sizeof(path), KEY_PULLED "%s/", kind);
    prefix = key_in_repository(name, path);
    r = storage_list(store->storage, prefix.text, NULL, SIZE_MAX, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        const char *entry = list.entries[i]->name;
        enum digest_algorithm algorithm;
        struct digest digest;

        record = prefix;
        snprintf(record.text + strlen(prefix.text), sizeof(record.text) - strlen(prefix.text), "%s",
                 entry);
        if (strcmp(kind, "tags") == 0)
            link = key_tag_current(name, entry);
        else if (digest_algorithm_parse(kind, strlen(kind), &algorithm) == 0 &&
                 key_parse_hex(algorithm, entry, &digest))
            link = key_revision(name, &digest, "link");
        else
            continue;
        r = forget(store, &record, &link, err);
    }
    return r;
}

int store_forget_pulls(struct store *store, const char *name, struct error *err)
{
    int r = forget_kind(store, name, "tags", err);

    if (r == 0)
        r = forget_kind(store, name, "sha256", err);
    return r < 0 ? r : forget_kind(store, name, "sha512", err);
}
