#pragma once

#include "registry/storage/storage.h"

/*
 * A new, empty root directory in the bucket that the variables S3_ENDPOINT, S3_BUCKET,
 * S3_ACCESS_KEY and S3_SECRET_KEY name; the keys are those of a store that exists for a test. 0 or
 * negative.
 */
int bucket_fixture_open(struct storage **ret, struct error *err);

/* The same directory as the last one, as another process has it. */
int bucket_fixture_open_again(struct storage **ret, struct error *err);

/* Ends the connections, after the last storage was closed. */
void bucket_fixture_end(void);
