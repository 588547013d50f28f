#pragma once

#include <stdarg.h>
#include <stdint.h>

#include "common/error.h"

/* Sets -EINVAL with "SOURCE line N: " before the text, for the parsers of files that people write.
 */
void line_error_set(struct error *err, const char *source, uint32_t line, const char *format,
                    va_list args) __attribute__((format(printf, 4, 0)));
