#pragma once

#include "registry/access/external-tokens.h"
#include "registry/config/settings.h"

/*
 * Opens the keys of the token server that the settings name. 0 with *ret (free with
 * external_tokens_close()), or negative.
 */
int external_tokens_start(const struct settings_token *settings, struct external_tokens **ret,
                          struct error *err) MUST_USE;
