#include "registry/storage/s3/s3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/claim-table.h"
#include "registry/storage/s3/collection-record.h"
#include "registry/storage/s3/lease.h"
#include "registry/storage/s3/promise.h"
#include "registry/storage/s3/remover.h"
#include "registry/storage/s3/upload-private.h"
#include "registry/storage/s3/upload-table.h"

enum { CHECK_MS = 3000, WRITE_PATIENCE_MS = 30000 };
enum {
    USUAL_PART = 10 << 20,
    USUAL_COPY_PART = 32 << 20,
    USUAL_UPLOAD_MEMORY = 30 << 20,
    USUAL_UPLOAD_SILENT_MS = 2000,
    PARTS_IN_MEMORY = 3,
    PARTS_MAX = 10000,
};

#define USUAL_COPY_THRESHOLD UINT32_MAX

static struct s3 *s3_of(struct storage *storage)
{
    return (struct s3 *)storage;
}

static void s3_free(struct s3 *s3)
{
    upload_budget_free(s3->budget);
    remover_free(s3->remover);
    claims_free(s3->claims);
    lease_free(s3->lease);
    collection_record_free(s3->collections);
    upload_table_free(s3->uploads);
    promises_free(s3->promises);
    free(s3->prefix);
    free(s3);
}

size_t s3_add_headers(const struct s3 *s3, struct s3_pair *headers, size_t count)
{
    for (size_t i = 0; i < s3->options.header_count; i++)
        headers[count++] = s3->options.headers[i];
    return count;
}

static void close_bucket(struct storage *storage)
{
    struct s3 *s3 = s3_of(storage);
    struct s3_options options = s3->options;

    s3_free(s3);
    if (options.release)
        options.release(options.object);
}

static int check_bucket(struct storage *storage, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const struct s3_request request = {.method = "HEAD", .key = "", .deadline_ms = CHECK_MS};
    int r = s3_call(s3_of(storage)->client, &request, &answer, err);

    return r < 0 || answer.status == 200 ? r : s3_answer_fail(&answer, &request, err);
}

static int64_t get_time(struct storage *storage)
{
    return s3_client_now(s3_of(storage)->client) +
           __atomic_load_n(&s3_of(storage)->shift_s, __ATOMIC_RELAXED);
}

int64_t s3_time_of(const struct s3 *s3, int64_t written_s)
{
    return written_s <= s3->older_until_s ? written_s - s3->older_by_s : written_s;
}

void s3_make_older(struct storage *storage, int64_t seconds)
{
    s3_of(storage)->older_until_s = get_time(storage) + 1;
    s3_of(storage)->older_by_s = seconds;
}

void s3_pass_time(struct storage *storage, int64_t seconds)
{
    __atomic_add_fetch(&s3_of(storage)->shift_s, seconds, __ATOMIC_RELAXED);
}

static bool is_remote(const struct storage *storage)
{
    (void)storage;
    return true;
}

static bool dates_uploads(const struct storage *storage)
{
    (void)storage;
    return true;
}

static void count_cache(struct storage *storage, struct storage_cache_counters *ret)
{
    (void)storage;
    *ret = (struct storage_cache_counters){0};
}

static void count_copies(struct storage *storage, struct storage_copy_counters *ret)
{
    if (s3_of(storage)->options.cache)
        disk_cache_count(s3_of(storage)->options.cache, ret);
    else
        *ret = (struct storage_copy_counters){0};
}

static void count_requests(struct storage *storage, struct storage_request_counters *ret)
{
    s3_client_count(s3_of(storage)->client, ret);
    ret->upload_bytes = upload_budget_count(s3_of(storage)->budget);
}

static void stop_waiting(struct storage *storage)
{
    upload_budget_end(s3_of(storage)->budget);
}

static void end_at(struct storage *storage, int64_t moment_ms)
{
    s3_client_end_at(s3_of(storage)->client, moment_ms);
    lease_wake(s3_of(storage)->lease); /* those who wait for it look at the moment */
}

static int head_object(struct storage *storage, const char *key, enum storage_waiting waiting,
                       struct storage_object *ret, struct error *err)
{
    return waiting == STORAGE_MUST_NOT_WAIT ? STORAGE_WOULD_WAIT
                                            : s3_head(s3_of(storage), key, ret, err);
}

static int get_address(struct storage *storage, const char *key, const char *method,
                       unsigned expires_s, char **ret, struct error *err)
{
    CLEANUP_FREE char *full = s3_full_key(s3_of(storage), key);
    const struct s3_request request = {.method = method, .key = full, .expires_s = expires_s};

    return full ? s3_client_presign(s3_of(storage)->client, &request, ret, err)
                : error_set_oom(err);
}

static int make_step(struct s3 *s3, const struct storage_step *step, struct error *err)
{
    struct storage_object object;

    switch (step->kind) {
    case STORAGE_PUT:
        return s3_put(s3, step, err);
    case STORAGE_KEEP:
        return s3_keep(s3, step->key, &object, err);
    case STORAGE_MARK: /* a prefix is there as long as something is below it */
        return 0;
    default:
        return s3_publish(step, err);
    }
}

/* Within work of the lease, so that no collector removes what the steps rely on. */
static int make_steps_of(struct s3 *s3, const struct storage_step *steps, size_t count,
                         struct lease_work *work, struct error *err)
{
    int ended, r = lease_begin(s3->lease, work, WRITE_PATIENCE_MS, err);

    if (r != 0)
        return r < 0 ? r
                     : error_set(err, EAGAIN,
                                 "garbage collection does not end its work on %s; try again later",
                                 steps[0].key);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = make_step(s3, &steps[i], err);
    ended = lease_end(s3->lease, work, r < 0 ? NULL : err);
    return r == 0 ? ended : r;
}

static int make_steps(struct storage *storage, const struct storage_step *steps, size_t count,
                      struct error *err)
{
    CLEANUP_FREE const char **keys = calloc(count + 1, sizeof(*keys));
    struct lease_work work = {.keys = keys, .count = count};

    if (!keys)
        return error_set_oom(err);
    for (size_t i = 0; i < count; i++)
        keys[i] = steps[i].key;
    return count > 0 ? make_steps_of(s3_of(storage), steps, count, &work, err) : 0;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int remove_keys(struct storage *storage, const char *const *keys, size_t count,
                       struct error *err)
{
    CLEANUP_FREE const char **sorted = calloc(count + 1, sizeof(*sorted));
    int r = 0;

    if (!sorted)
        return error_set_oom(err);
    for (size_t i = 0; i < count; i++)
        sorted[i] = keys[i];
    qsort(sorted, count, sizeof(*sorted), compare_keys);
    for (size_t i = 0; r == 0 && i < count; i++) {
        size_t size = strlen(sorted[i]);

        if (size > 0 && sorted[i][size - 1] == '/')
            r = s3_delete_below(s3_of(storage), sorted[i], err);
        else
            r = s3_delete(s3_of(storage), sorted[i], err);
    }
    return r;
}

static int put_note(struct storage *storage, const char *key, const void *data, size_t size,
                    struct error *err)
{
    const struct storage_step step = {.kind = STORAGE_PUT, .key = key, .data = data, .size = size};

    return s3_put(s3_of(storage), &step, err);
}

static const struct storage_functions functions = {
    .close = close_bucket,
    .check = check_bucket,
    .now = get_time,
    .is_remote = is_remote,
    .count_cache = count_cache,
    .count_copies = count_copies,
    .count_requests = count_requests,
    .end_at = end_at,
    .stop_waiting = stop_waiting,
    .head = head_object,
    .get = s3_get,
    .open = s3_open_reader,
    .open_copy = s3_open_copy,
    .open_linked = s3_open_linked,
    .get_address = get_address,
    .reader_read = s3_reader_read,
    .reader_wait = s3_reader_wait,
    .reader_notify = s3_reader_notify,
    .reader_borrow = s3_reader_borrow,
    .reader_get_fd = s3_reader_get_fd,
    .reader_close = s3_reader_close,
    .list = s3_list,
    .list_keys = s3_list_keys,
    .write = make_steps,
    .remove = remove_keys,
    .remove_if_unchanged = s3_remove_if_unchanged,
    .note = put_note,
    .refresh = s3_refresh,
    .used_since = s3_used_since,
    .last_use = s3_last_use,
    .begin_collection = s3_begin_collection,
    .end_collection = s3_end_collection,
    .remove_unused = s3_remove_unused,
    .clean_up = s3_clean_up,
    .dates_uploads = dates_uploads,
    .upload_open = s3_upload_open,
    .upload_head = s3_upload_head,
    .upload_get_state = s3_upload_get_state,
    .upload_reserve = s3_upload_reserve,
    .upload_notify = s3_upload_notify,
    .upload_append = s3_upload_append,
    .upload_keep = s3_upload_keep,
    .upload_read = s3_upload_read,
    .upload_discard = s3_upload_discard,
    .upload_close = s3_upload_close,
    .upload_would_wait = s3_upload_would_wait,
    .claim = s3_claim,
    .claim_check = s3_claim_check,
    .claim_release = s3_claim_release,
};

/* "/a/b/" is "a/b/docker/registry/v2/", as in registry:2. */
static int set_prefix(struct s3 *s3, const char *root)
{
    size_t size;

    root += strspn(root, "/");
    size = strlen(root);
    while (size > 0 && root[size - 1] == '/')
        size--;
    if (asprintf(&s3->prefix, "%.*s%sdocker/registry/v2/", (int)size, root, size > 0 ? "/" : "") >=
        0)
        return 0;
    s3->prefix = NULL;
    return -ENOMEM;
}

static void set_usual_sizes(struct s3_options *options)
{
    if (!options->part_size)
        options->part_size = USUAL_PART;
    if (!options->copy_part_size)
        options->copy_part_size = USUAL_COPY_PART;
    if (!options->copy_threshold)
        options->copy_threshold = USUAL_COPY_THRESHOLD;
    if (!options->parts_max)
        options->parts_max = PARTS_MAX;
    if (!options->upload_memory)
        options->upload_memory = USUAL_UPLOAD_MEMORY;
    if (!options->upload_silent_ms)
        options->upload_silent_ms = USUAL_UPLOAD_SILENT_MS;
    if (options->upload_memory < PARTS_IN_MEMORY * options->part_size)
        options->upload_memory = PARTS_IN_MEMORY * options->part_size;
}

int s3_open(const struct s3_options *options, struct storage **ret, struct error *err)
{
    struct s3 *s3 = calloc(1, sizeof(*s3));
    int r;

    if (!s3)
        return error_set_oom(err);
    s3->storage.functions = &functions;
    s3->client = options->client;
    s3->options = *options;
    set_usual_sizes(&s3->options);
    s3->claims = claims_new(s3);
    s3->lease = lease_new(s3);
    s3->promises = promises_new();
    s3->uploads = upload_table_new();
    s3->budget = upload_budget_new(s3->options.upload_memory, s3->options.upload_silent_ms,
                                   s3_upload_take_back);
    s3->remover = remover_new(s3);
    s3->collections = collection_record_new(s3);
    r = s3->claims && s3->lease && s3->promises && s3->uploads && s3->budget && s3->remover &&
                s3->collections && set_prefix(s3, options->root) == 0
            ? s3_probe(s3, err)
            : error_set_oom(err);
    if (r < 0) {
        s3_free(s3);
        return r;
    }
    *ret = &s3->storage;
    return 0;
}
