#pragma once

#include "common/secbuf.h"
#include "gpg/options.h"

/*
 * Appends the OPTION lines that gpg sends first: terminal, display, locale, and the pinentry's
 * environment, all from our environment. 0; -E2BIG if a variable does not fit in a line; -ENOMEM.
 */
int agent_options_append(struct secbuf *lines, enum gpg_pinentry_mode mode) MUST_USE;

/*
 * The locale for a category ("LC_MESSAGES"), by the variables that setlocale() reads; "C" if none
 * is set.
 */
const char *agent_locale(const char *category);
