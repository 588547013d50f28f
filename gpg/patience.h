#pragma once

#include "common/error.h"

/*
 * How long a program may take that asks no person, in seconds: DOCKER_CREDENTIAL_PASS_TIMEOUT, from 1 to 86400, else two
 * minutes. It is no measure of speed, but an end to waiting for what hangs: more than the minute for which gpg-agent itself
 * lets one that needs a passphrase wait for another, and than the slowest key derivation.
 */

/* 0, or negative where the variable is no such number; *ret_seconds is then two minutes. */
int gpg_patience_read(int *ret_seconds, struct error *err) MUST_USE;

/* The same, for where a wrong value has been complained of already, or nobody would hear. */
int gpg_patience(void);
