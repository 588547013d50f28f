#pragma once

#include "common/digest.h"
#include "common/error.h"

/*
 * Finds the first manifest that a list or index names for a platform, such as "linux" and "amd64".
 * Returns 0, -ENOENT if there is none, or another negative errno with err filled.
 */
int platform_find(const void *bytes, size_t size, const char *os, const char *architecture,
                  struct digest *ret, struct error *err) MUST_USE;
