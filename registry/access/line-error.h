#pragma once

#include <stdarg.h>
#include <stdint.h>

#include "common/error.h"

/*
 * For parsers of files that people write: sets an error that begins with "SOURCE line N: ". Returns
 * -EINVAL.
 */
void line_error_set(struct error *err, const char *source, uint32_t line, const char *format,
                    va_list args) __attribute__((format(printf, 4, 0)));
