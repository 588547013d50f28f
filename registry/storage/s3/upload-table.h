#pragma once

#include "registry/storage/s3/session.h"

/*
 * The uploads that this process has open, and the states that it wrote last: these uploads are
 * likely to be continued here, and then their states need not be read. Whoever uses such a state
 * writes it by compare-and-swap first, which fails if another server has continued the upload.
 * Memory is bounded. From any thread.
 */
struct upload_table;

struct upload_table *upload_table_new(void);        /* NULL: out of memory */
void upload_table_free(struct upload_table *table); /* takes NULL */

/*
 * Notes that an upload is open. If its state is known, *ret_is_known is set, and it is taken out of
 * the table with the bytes of its tail (free with free(); NULL without a tail). 0,
 * STORAGE_WOULD_WAIT if the upload is open already, or -ENOMEM.
 */
int upload_table_open(struct upload_table *table, const char *key, bool *ret_is_known,
                      struct session *ret, char **ret_tail) MUST_USE;

/* Notes that an upload is not open any more, and its state (NULL: not known) with its tail. */
void upload_table_close(struct upload_table *table, const char *key, const struct session *session,
                        const char *tail);
