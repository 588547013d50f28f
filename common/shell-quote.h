#pragma once

/*
 * Quotes the text for a shell if that is necessary. Owned by the caller, free with free(). NULL:
 * memory is exhausted.
 */
char *shell_quote(const char *text);
