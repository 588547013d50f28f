#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Docker's credential helper protocol: a verb in argv, a request on stdin, an answer or one line
 * of error on stdout, and the exit code 0 or 1.
 */

/*
 * The texts that clients compare, byte for byte (docker-credential-helpers, credentials/error.go).
 */
#define PROTOCOL_NOT_FOUND "credentials not found in native keychain"
#define PROTOCOL_NO_SERVER_URL "no credentials server URL"
#define PROTOCOL_NO_USERNAME "no credentials username"

/*
 * The verbs, one a file. Each reads stdin where it needs to, appends what goes to stdout to
 * ret_answer, and returns 0 or negative, with err holding the line to print.
 */
int verb_store(struct secbuf *ret_answer, struct error *err) MUST_USE;
int verb_get(struct secbuf *ret_answer, struct error *err) MUST_USE;
int verb_erase(struct secbuf *ret_answer, struct error *err) MUST_USE;
int verb_list(struct secbuf *ret_answer, struct error *err) MUST_USE;
