#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"

/*
 * Remembers which blobs were recently found to match their digest, so that popular blobs are not
 * hashed often. The size is fixed: a new entry may replace an old one. Any thread may call it.
 */
struct checked_blobs;

struct checked_blobs *checked_blobs_new(void); /* NULL: out of memory */
void checked_blobs_free(struct checked_blobs *checked);

/*
 * identity changes with the bytes. An entry expires after a day, because a disk may damage bytes
 * later.
 */
bool checked_blobs_have(struct checked_blobs *checked, const struct digest *digest,
                        uint64_t identity);
void checked_blobs_add(struct checked_blobs *checked, const struct digest *digest,
                       uint64_t identity);
