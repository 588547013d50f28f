#pragma once

#include "registry/api/endpoint.h"

/*
 * Reads the credentials of a call (struct credentials in registry/api/endpoint.h). Free them with
 * credentials_done().
 */

/*
 * Moves the credentials out of the header Authorization and wipes it, because the buffer outlives
 * the request. Returns true if there is no such header, and false if it is invalid: its sender did
 * not intend to be anonymous.
 */
bool credentials_take(const struct call *call, struct credentials *ret);

/* Puts the credentials into a question to registry/access/, which borrows them. */
void credentials_ask(const struct credentials *credentials, struct access_question *question);

/*
 * Runs the phase again on a thread that checks credentials: a password on a thread that computes,
 * an identity token on one that may wait for the storage. The attempts of one client wait for one
 * another and do not delay other clients.
 */
enum http_result credentials_move(struct call *call, const struct credentials *credentials);

void credentials_done(struct credentials *credentials);
