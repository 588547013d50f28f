#pragma once

#include "gpg/context.h"

/*
 * gpg's own messages about the last operation, for people only, because they are translated. One
 * line without "gpg: "; "" if gpg wrote nothing. If gpg refused its configuration, it is run once
 * more to get the message.
 */
enum { GPG_WORDS_SIZE = 700 };
void gpg_words_read(struct gpg_context *gpg, char ret[GPG_WORDS_SIZE]);

/* Extracts them from gpg's log. Pure. */
void gpg_words_parse(const char *log, char ret[GPG_WORDS_SIZE]);

/* Whether gpg's log has this text; only for texts that it does not translate. */
bool gpg_words_include(struct gpg_context *gpg, const char *text);
