#pragma once

#include "registry/core/quota.h"
#include "registry/core/store-private.h"

/* The state of a quota, shared by quota.c and quota-recount.c. */
#define QUOTA_BLOBS "blobs/"
#define QUOTA_COLLECTED "maintenance/collected"

/* Records that a blob is counted, and its size, before its bytes are stored. */
int quota_note_blob(struct store *store, const char *id, const char *hex, uint64_t size,
                    struct error *err) MUST_USE;

struct key key_quota(const char *id, const char *path);
struct key key_counted_blob(const char *id, const char *hex);

int quota_note_used(struct store *store, const char *id, uint64_t used, struct error *err) MUST_USE;
int quota_note_counted(struct store *store, const char *id, int64_t counted_s,
                       struct error *err) MUST_USE;

/* Hold it briefly, and never together with a claim on a repository: the two may share a lock. */
int quota_claim(struct store *store, const char *id, struct storage_claim **ret,
                struct error *err) MUST_USE;
