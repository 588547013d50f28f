#pragma once

#include <stdbool.h>

#include "registry/storage/s3/transport.h"

/* How much libcurl reads at once of a stream, which is usually the bytes of a blob. */
enum { EASY_STREAM_SIZE = 128 << 10 };

/*
 * Makes exchange->easy and exchange->lines. The thread frees them, also after a failure. Returns
 * false if memory is out.
 */
bool easy_new(struct exchange *exchange, const struct transport_options *options);
