#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/*
 * Reads an amount of data that people write: "50GB", "500MiB", "2TB", "100B": powers of 1000, with
 * an 'i' powers of 1024. 0; -EINVAL if it has another form or is 0; -ERANGE if it is more than INT64_MAX.
 */
int byte_size_parse(const char *text, size_t size, uint64_t *ret) MUST_USE;
