#pragma once

#include "gpg/context.h"

/*
 * What gpg itself wrote about the last operation, for people alone: it is in their language. One line without its "gpg: ",
 * or "" if gpg wrote nothing. Where gpg refused its configuration, it is asked once more what it refuses.
 */
enum { GPG_WORDS_SIZE = 700 };
void gpg_words_read(struct gpg_context *gpg, char ret[GPG_WORDS_SIZE]);

/* The same from gpg's log. Pure. */
void gpg_words_parse(const char *log, char ret[GPG_WORDS_SIZE]);

/* Whether gpg wrote this about the last operation; for texts that it does not translate. */
bool gpg_words_include(struct gpg_context *gpg, const char *text);
