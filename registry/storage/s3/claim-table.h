#pragma once

#include "registry/storage/s3/claim-object.h"

/*
 * The claims of this server. One shared line in a claim's object serves all requests that want the
 * claim shared, and is kept for a while after the last one. docs/storage-s3.md has the argument.
 * From any thread.
 */
struct claims;
struct claim_entry;

/* Borrows s3. NULL: out of memory. */
struct claims *claims_new(struct s3 *s3);

/* Gives back what is kept. Takes NULL. */
void claims_free(struct claims *claims);

/* What the server knows of the claim with that key, for claims_drop(). NULL: out of memory. */
struct claim_entry *claims_find(struct claims *claims, const char *key);
void claims_drop(struct claims *claims, struct claim_entry *entry);

/*
 * Joins the sharers of this server, until a moment of monotonic_ms(). The generation is for the
 * other functions: a line that was lost and taken again is another one. 0, STORAGE_WOULD_WAIT or
 * negative.
 */
int claims_share(struct claims *claims, struct claim_entry *entry, int64_t end_ms,
                 uint64_t *ret_generation, struct error *err);

/* Right before a write: makes sure that the line is there. 0, STORAGE_CLAIM_LOST or negative. */
int claims_check(struct claims *claims, struct claim_entry *entry, uint64_t generation,
                 struct error *err);
void claims_leave(struct claims *claims, struct claim_entry *entry, uint64_t generation);

/*
 * Waits until no other request of this server has the claim, and keeps others away. *ret is the
 * line with which the caller takes it: if this server has kept a shared line, it becomes that of
 * the caller, and *ret_is_there is true. 0 or STORAGE_WOULD_WAIT.
 */
int claims_begin_alone(struct claims *claims, struct claim_entry *entry, int64_t end_ms,
                       struct claim_line *ret, bool *ret_is_there);
void claims_end_alone(struct claims *claims, struct claim_entry *entry);
