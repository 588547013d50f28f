#pragma once

/* The text for a shell, in quotes where it needs them; owned by the caller, free with free(). NULL: out of memory. */
char *shell_quote(const char *text);
