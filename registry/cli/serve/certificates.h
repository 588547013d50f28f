#pragma once

#include "registry/config/settings.h"

/*
 * The files of http.tls (certificate, key, client authorities), read at the start and again when one of them changes. For
 * the main thread.
 */
struct certificates;

/* Reads them and puts them in use. 0 with *ret (NULL: no TLS is configured), or negative. */
int certificates_open(const struct settings_tls *settings, struct certificates **ret, struct error *err) MUST_USE;

/* Reads them again: in any case, or if one has changed. After a failure, which is logged, the previous ones stay in use. */
void certificates_reload(struct certificates *certificates); /* takes NULL */
void certificates_refresh(struct certificates *certificates); /* takes NULL */

/* When no connection is left. Takes NULL. */
void certificates_close(struct certificates *certificates);
