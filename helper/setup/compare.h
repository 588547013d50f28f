#pragma once

#include "helper/client/config.h"

/* The result of comparing a client's login with the store's login for that server. */
enum setup_comparison { STORE_HAS_NONE, STORE_HAS_SAME, STORE_HAS_OTHER };

/*
 * What the store has under that name: enum setup_comparison, or negative. May ask for a passphrase.
 */
int setup_compare(const char *name, const struct client_login *login, struct error *err) MUST_USE;

/* Stores the login under that name. 0 or negative. */
int setup_put(const char *name, const struct client_login *login, struct error *err) MUST_USE;

/*
 * Whether the store returns this secret unchanged. It drops line ends at the end; they mean nothing
 * in a JSON key ("_json_key").
 */
bool setup_can_keep(const struct secbuf *secret);
