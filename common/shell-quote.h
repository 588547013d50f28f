#pragma once

#include <stdarg.h>

#include "common/macros.h"

/*
 * Quotes the text for a shell if that is necessary. Owned by the caller, free with free(). NULL:
 * memory is exhausted.
 */
char *shell_quote(const char *text);

/*
 * A command for a shell: the format with each %s quoted; nothing else may be in it. Owned by the
 * caller, free with free(). NULL: memory is exhausted.
 */
char *shell_format(const char *format, va_list arguments) PRINTF_LIKE(1, 0);
