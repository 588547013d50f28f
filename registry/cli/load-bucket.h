#pragma once

#include "registry/storage/s3/bucket.h"

/*
 * Loads the module for buckets, which lies beside the program or where it was installed. It stays
 * loaded. 0 or negative.
 */
int load_bucket(const struct bucket_module **ret, struct error *err) MUST_USE;
