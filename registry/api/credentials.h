#pragma once

#include "registry/api/endpoint.h"

/* The credentials of a call (struct credentials in registry/api/endpoint.h). Free them with credentials_done(). */

/*
 * Takes the credentials out of the header Authorization, because what is there would outlive the request in
 * memory. False if they cannot be read: their sender does not mean to be anonymous.
 */
bool credentials_take(const struct call *call, struct credentials *ret);

/* For a question to registry/access/: points to the credentials, which must live as long. */
void credentials_ask(const struct credentials *credentials, struct access_question *question);

/*
 * Lets the phase run again where credentials are checked: a password on a thread that computes, an identity token on one
 * that waits for the storage. One client's many tries wait for each other, and others do not wait for them.
 */
enum http_result credentials_move(struct call *call, const struct credentials *credentials);

void credentials_done(struct credentials *credentials);
