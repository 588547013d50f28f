#pragma once

#include "common/secbuf.h"
#include "gpg/options.h"

/*
 * Appends the OPTION lines with which gpg begins: terminal, display, locale, the pinentry's environment, all of it from our own. 0; -E2BIG
 * for a variable that does not fit in a line; -ENOMEM.
 */
int agent_options_append(struct secbuf *lines, enum gpg_pinentry_mode mode) MUST_USE;

/* The locale for a category ("LC_MESSAGES"), by the variables that setlocale() reads; "C" if none is set. */
const char *agent_locale(const char *category);
