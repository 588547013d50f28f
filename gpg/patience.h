#pragma once

#include "common/error.h"

/*
 * The timeout in seconds for a program that asks nobody: DOCKER_CREDENTIAL_PASS_TIMEOUT, from 1 to
 * 86400; two minutes by default. It only ends programs that hang: it is longer than the slowest key
 * derivation, and longer than the minute for which one passphrase prompt of gpg-agent can delay
 * another.
 */

/* 0, or negative if the variable is invalid; *ret_seconds is then two minutes. */
int gpg_patience_read(int *ret_seconds, struct error *err) MUST_USE;

/* The same for callers that cannot report an invalid value, or that run after it was reported. */
int gpg_patience(void);
