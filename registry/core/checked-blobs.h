#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"

/*
 * Of which blobs the bytes were compared with the digest lately, so that what is asked for often is not hashed often.
 * Bounded: one takes the place of another. From any thread.
 */
struct checked_blobs;

struct checked_blobs *checked_blobs_new(void); /* NULL: out of memory */
void checked_blobs_free(struct checked_blobs *checked);

/* identity is another one for another file. It is forgotten after a day, for disks forget, too. */
bool checked_blobs_have(struct checked_blobs *checked, const struct digest *digest, uint64_t identity);
void checked_blobs_add(struct checked_blobs *checked, const struct digest *digest, uint64_t identity);
