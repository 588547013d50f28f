#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"

/*
 * The blobs whose bytes were found to match their digest lately, so that popular blobs are not hashed often. Bounded: an
 * entry replaces another. From any thread.
 */
struct checked_blobs;

struct checked_blobs *checked_blobs_new(void); /* NULL: out of memory */
void checked_blobs_free(struct checked_blobs *checked);

/* identity changes with the bytes. An entry is forgotten after a day, because disks can lose bytes later, too. */
bool checked_blobs_have(struct checked_blobs *checked, const struct digest *digest, uint64_t identity);
void checked_blobs_add(struct checked_blobs *checked, const struct digest *digest, uint64_t identity);
