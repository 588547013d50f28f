#pragma once

#include "registry/storage/s3/s3.h"

/* What the files of the backend share. */

/* How If-Match must name an object. */
enum s3_etag_form {
    S3_ETAG_QUOTED, /* "abc", as HTTP says */
    S3_ETAG_BARE,   /* abc: Ceph's gateway never matches one in quotes */
};

/* What the store does, tried when the bucket was opened. */
struct s3_abilities {
    enum s3_etag_form etag_form;
    bool keeps_delete_condition; /* DELETE with If-Match */
};

struct s3 {
    struct storage storage;
    struct s3_client *client;
    struct s3_options options;
    char *prefix; /* of all keys, with a slash at its end */
    struct s3_abilities abilities;
    struct claims *claims;
    struct lease *lease;
    struct promises *promises;
    struct upload_table *uploads;
    struct upload_budget *budget; /* of the memory of uploads */
    struct remover *remover;
    struct collection_record *collections;
    int64_t shift_s; /* tests add it to the store's clock; atomic */
    /* Tests make objects older that were written until then. */
    int64_t older_until_s, older_by_s;
};

/* An ETag without its quotes, and a NUL. A longer one is refused. */
enum { S3_ETAG_SIZE = sizeof(struct storage_version), S3_KEY_MAX = 1024 };

/* The last metadata says that a conditional delete is going to remove this object: it counts as
 * missing. */
#define S3_META_WRITE "x-amz-meta-registryd-write"
#define S3_META_REMOVED "x-amz-meta-registryd-removed"

/* Appends the headers of requests that create objects to headers. Returns the new count. */
size_t s3_add_headers(const struct s3 *s3, struct s3_pair *headers, size_t count);

/* --- object.c: single objects ---------------------------------------------------------------- */

/* The key in the bucket. Free with free(). NULL if memory is out. */
char *s3_full_key(const struct s3 *s3, const char *key);

/* 0, STORAGE_NOT_FOUND or negative. */
int s3_head(struct s3 *s3, const char *key, struct storage_object *ret, struct error *err);

/* The same, and when the object was written. */
int s3_head_dated(struct s3 *s3, const char *key, struct storage_object *ret, int64_t *ret_s,
                  struct error *err);

/* From last-modified. 0 or negative. */
int s3_read_time(const struct s3 *s3, const struct s3_answer *answer, const char *key,
                 int64_t *ret_s, struct error *err);

/* When an object was written, by the store's words. */
int64_t s3_time_of(const struct s3 *s3, int64_t written_s);

/* Size and version of the object that an answer is about. 0 or negative. */
int s3_read_head(const struct s3_answer *answer, const char *key, struct storage_object *ret,
                 struct error *err);
bool s3_is_removed(const struct s3_answer *answer);

/* The value of If-Match for a version. */
void s3_format_match(const struct s3 *s3, const struct storage_version *version,
                     char ret[S3_ETAG_SIZE + 2]);

/* Puts an object. 0, STORAGE_CONFLICT (the condition does not hold) or negative. */
int s3_put(struct s3 *s3, const struct storage_step *step, struct error *err);

/* The same, with the version of what was put. */
int s3_put_versioned(struct s3 *s3, const struct storage_step *step,
                     struct storage_version *ret_version, struct error *err);

/* Deletes an object, which may be missing. 0 or negative. */
int s3_delete(struct s3 *s3, const char *key, struct error *err);

/* The same, by a request that the store refuses S3_SOON_S after that time, however late it comes.
 */
enum { S3_SOON_S = 10 };
int s3_delete_soon(struct s3 *s3, const char *key, int64_t now_s, struct error *err);

int s3_remove_if_unchanged(struct storage *storage, const char *key,
                           const struct storage_version *version, struct error *err);

/* --- probe.c --------------------------------------------------------------------------------- */

/* Finds out what the store does. 0, or negative: no such bucket, no access, no conditional PUT. */
int s3_probe(struct s3 *s3, struct error *err);

/* --- list.c ---------------------------------------------------------------------------------- */

int s3_list(struct storage *storage, const char *prefix, const char *after, size_t limit,
            struct storage_list *ret, struct error *err);

int s3_list_keys(struct storage *storage, const char *prefix, const char *after, size_t limit,
                 struct storage_list *ret, struct error *err);

/* A time as lists have it, such as "2026-11-30T14:01:02.345Z". INT64_MAX if it is none. */
int64_t s3_parse_stamp(const char *text);

/* Deletes all objects below a prefix, many with each request. 0 or negative. */
int s3_delete_below(struct s3 *s3, const char *prefix, struct error *err);

/* When the newest object below a prefix was written. 0, STORAGE_NOT_FOUND or negative. */
int s3_find_newest(struct s3 *s3, const char *prefix, int64_t *ret_s, struct error *err);

/* Calls a function for each page of keys below a prefix, in their order, until it returns not 0. */
typedef int s3_page_function(void *object, const char *const *keys, size_t count,
                             struct error *err);
int s3_for_each_page_below(struct s3 *s3, const char *prefix, s3_page_function *each, void *object,
                           struct error *err);

/* The same for each key. */
typedef int s3_key_function(void *object, const char *key, struct error *err);
int s3_for_each_below(struct s3 *s3, const char *prefix, s3_key_function *each, void *object,
                      struct error *err);

/* --- collection.c ---------------------------------------------------------------------------- */

int s3_refresh(struct storage *storage, const char *key, enum storage_waiting waiting,
               struct storage_object *ret, struct error *err);
int s3_used_since(struct storage *storage, const char *key, int64_t moment_s, bool *ret,
                  struct error *err);
int s3_last_use(struct storage *storage, const char *key, int64_t *ret_ns, struct error *err);
int s3_remove_unused(struct storage *storage, struct storage_removal *removals, size_t count,
                     int64_t moment_s, struct error *err);

/* The step STORAGE_KEEP; lease_begin() was called for the key. 0, STORAGE_NOT_FOUND or negative. */
int s3_keep(struct s3 *s3, const char *key, struct storage_object *ret, struct error *err);
int s3_clean_up(struct storage *storage, int64_t age_s, struct error *err);
int s3_begin_collection(struct storage *storage, struct error *err);
void s3_end_collection(struct storage *storage);

/* --- get.c ----------------------------------------------------------------------------------- */

int s3_get(struct storage *storage, const char *key, size_t limit, enum storage_waiting waiting,
           char **ret_bytes, size_t *ret_size, struct error *err);
/* A small object with its version. *ret_bytes is the caller's. 0, STORAGE_NOT_FOUND or negative. */
int s3_get_versioned(struct s3 *s3, const char *key, size_t limit, char **ret_bytes,
                     struct storage_object *ret, struct error *err);
/* The same, and when it was written. */
int s3_get_dated(struct s3 *s3, const char *key, size_t limit, char **ret_bytes,
                 struct storage_object *ret, int64_t *ret_written_s, struct error *err);

/* The request that the next function makes. Borrows the key in the bucket. */
struct s3_request s3_whole_get(const char *full);

/*
 * A small object with its head, in one request, which may have been sent early; if the body is cut,
 * once more from the start. A larger one is left as a stream: then *ret_bytes is NULL.
 * ret_written_s may be NULL. 0, STORAGE_NOT_FOUND or negative.
 */
int s3_get_small(struct s3 *s3, const char *key, const char *full, size_t limit,
                 struct s3_early *early, struct s3_answer *ret_stream,
                 struct storage_object *ret_object, int64_t *ret_written_s, char **ret_bytes,
                 struct error *err);

/* --- reader.c -------------------------------------------------------------------------------- */

/* Objects of up to that many bytes are read whole when they are opened. */
enum { S3_WHOLE_MAX = 1 << 20 };
int s3_open_reader(struct storage *storage, const char *key, enum storage_waiting waiting,
                   struct storage_reader **ret, struct storage_object *ret_object,
                   struct error *err);
int s3_open_linked(struct storage *storage, const char *link, const char *key,
                   enum storage_waiting waiting, struct storage_object *ret_link,
                   struct storage_reader **ret, struct storage_object *ret_object,
                   struct error *err);
ssize_t s3_reader_read(struct storage_reader *reader, uint64_t offset, void *ret_data, size_t size,
                       enum storage_waiting waiting);
void s3_reader_wait(struct storage_reader *reader);
bool s3_reader_notify(struct storage_reader *reader, storage_ready *ready, void *object);
ssize_t s3_reader_borrow(struct storage_reader *reader, uint64_t offset, size_t size,
                         const void **ret_data);
int s3_reader_get_fd(struct storage_reader *reader);
void s3_reader_close(struct storage_reader *reader);

/* --- copy-reader.c --------------------------------------------------------------------------- */

int s3_open_copy(struct storage *storage, const char *key, enum storage_waiting waiting,
                 struct storage_reader **ret, struct storage_object *ret_object, struct error *err);

/* --- upload.c -------------------------------------------------------------------------------- */

int s3_upload_open(struct storage *storage, const char *key, enum storage_upload_mode mode,
                   unsigned patience_ms, struct storage_upload **ret, struct error *err);
int s3_upload_head(struct storage *storage, const char *key, uint64_t *ret_size,
                   int64_t *ret_started_s, struct error *err);
int s3_upload_get_state(struct storage_upload *upload, struct storage_upload_state *ret,
                        struct error *err);
int s3_upload_keep(struct storage_upload *upload, struct error *err);
int s3_upload_discard(struct storage_upload *upload, struct error *err);
void s3_upload_close(struct storage_upload *upload);

/* --- upload-bytes.c -------------------------------------------------------------------------- */

int s3_upload_reserve(struct storage_upload *upload, size_t size, enum storage_waiting waiting,
                      struct error *err);
bool s3_upload_notify(struct storage_upload *upload, storage_ready *ready, void *object);
int s3_upload_append(struct storage_upload *upload, uint64_t offset, const void *data, size_t size,
                     struct error *err);
bool s3_upload_would_wait(const struct storage_upload *upload, size_t size);

/* --- publish.c ------------------------------------------------------------------------------- */

ssize_t s3_upload_read(struct storage_upload *upload, uint64_t offset, void *ret_data, size_t size);

/* Makes the step STORAGE_PUBLISH. */
int s3_publish(const struct storage_step *step, struct error *err);

/* --- claim.c --------------------------------------------------------------------------------- */

int s3_claim(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
             unsigned patience_ms, struct storage_claim **ret, struct error *err);
int s3_claim_check(struct storage_claim *claim, struct error *err);
void s3_claim_release(struct storage_claim *claim);
