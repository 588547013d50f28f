#pragma once

#include "common/digest.h"
#include "common/error.h"

/*
 * The manifest that a list or index names for a platform, such as "linux" and "amd64"; of several the first.
 * 0, -ENOENT where it names none, or another negative errno with err filled.
 */
int platform_find(const void *bytes, size_t size, const char *os, const char *architecture, struct digest *ret,
                  struct error *err) MUST_USE;
