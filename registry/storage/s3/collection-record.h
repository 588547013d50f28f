#pragma once

#include "registry/storage/s3/s3-private.h"

/*
 * The record of a collection that is running: an object that says when it began. Promises that it
 * may need are not deleted while the record counts. A process has one for all of its collections.
 * From any thread.
 */
struct collection_record;

/* A record counts for that long after it was written; its holder stops relying on it earlier. */
enum { COLLECTION_RECORD_S = 2 * 24 * 60 * 60, COLLECTION_RELY_S = 24 * 60 * 60 };

/* Borrows s3. NULL: out of memory. */
struct collection_record *collection_record_new(struct s3 *s3);
void collection_record_free(struct collection_record *record); /* takes NULL */

/* A collection of this process begins. 0 or negative. */
int collection_record_begin(struct collection_record *record, struct error *err) MUST_USE;
void collection_record_end(struct collection_record *record);

/*
 * Renews the record if it is old. 0, also if no collection is running; negative if it may have run
 * out: then promises may be missing, and the collection must end.
 */
int collection_record_renew(struct collection_record *record, struct error *err) MUST_USE;

/* When the oldest collection of this process began; that time if none is running. */
int64_t collection_record_find_begin(struct collection_record *record, int64_t now_s);

/*
 * When the oldest collection of all processes began; that time if none is running. Deletes records
 * that have run out. 0 or negative.
 */
int collection_record_find_oldest(struct s3 *s3, int64_t now_s, int64_t *ret_s,
                                  struct error *err) MUST_USE;
