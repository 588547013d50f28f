#pragma once

#include "registry/storage/s3/s3-private.h"

/*
 * An object that names the claims that somebody waits to have alone, so that servers that keep a
 * shared claim for later give it back at once. It is a hint: without it they give it back later.
 */

struct claim_wishes {
    char *text; /* lines, each the end of the wish and the key of the claim */
};

void claim_wishes_done(struct claim_wishes *wishes);

/* Has others see that somebody waits for this key. 0 or negative. */
int claim_wishes_add(struct s3 *s3, const char *key, struct error *err);

/* What others wait for: one request. 0 or negative. */
int claim_wishes_read(struct s3 *s3, struct claim_wishes *ret, struct error *err);

/* Whether somebody waits for that key, at a time of storage_now(). */
bool claim_wishes_has(const struct claim_wishes *wishes, const char *key, int64_t now_s);
