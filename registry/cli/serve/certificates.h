#pragma once

#include "registry/config/settings.h"

/*
 * Loads the files of http.tls (certificate, key, client authorities) at the start and when one of
 * them changes. For the main thread.
 */
struct certificates;

/*
 * Loads the files. settings are borrowed. 0 with *ret (unchanged if no TLS is configured), or
 * negative.
 */
int certificates_open(const struct settings_tls *settings, struct certificates **ret,
                      struct error *err) MUST_USE;

/*
 * Load the files again: always, or if one has changed. A failure is logged, and the previous files
 * stay in use.
 */
void certificates_reload(struct certificates *certificates); /* accepts NULL */
void certificates_refresh(struct certificates *certificates); /* accepts NULL */

/* Call it when no connection is left. Accepts NULL. */
void certificates_close(struct certificates *certificates);
