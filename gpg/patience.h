#pragma once

#include "common/error.h"

/*
 * The timeout in seconds for a program that asks nobody: DOCKER_CREDENTIAL_PASS_TIMEOUT, from 1 to 86400; two minutes by
 * default. It only ends programs that hang: it is longer than the slowest key derivation, and than the minute for which
 * gpg-agent lets one passphrase prompt wait for another.
 */

/* 0, or negative if the variable is invalid; *ret_seconds is then two minutes. */
int gpg_patience_read(int *ret_seconds, struct error *err) MUST_USE;

/* The same for callers that cannot report an invalid value, or come after the one that did. */
int gpg_patience(void);
