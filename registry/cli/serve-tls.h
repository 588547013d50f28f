#pragma once

#include "registry/config/settings.h"

/*
 * The files of http.tls, read at the start and again when one of them changes: certificate, key, clients'
 * authorities. For the main thread.
 */
struct serve_tls;

/* Reads them and puts them in force. 0 with *ret, NULL where no TLS is wanted, or negative. */
int serve_tls_open(const struct settings_tls *settings, struct serve_tls **ret, struct error *err) MUST_USE;

/* Reads them again, or if one has changed. What cannot be used leaves in force what was, and is logged. Take NULL. */
void serve_tls_reload(struct serve_tls *tls);
void serve_tls_refresh(struct serve_tls *tls);

/* When no connection is left. Takes NULL. */
void serve_tls_close(struct serve_tls *tls);
