#pragma once

#include <stdint.h>

#include "registry/api/endpoint.h"

/*
 * Determines the principal whose queue a job waits in (registry/runtime/job-queue.h). A logged-in
 * user is one principal, regardless of their address. Without a login, each client network is a
 * principal. A password check is queued for the client's network, because anyone can invent user
 * names.
 */
struct job_owner fairness_of_call(const struct call *call);

/*
 * Like fairness_of_call(), but computes the owner only at the first call, because most requests
 * need no job. Borrowed, valid until the call is over.
 */
const struct job_owner *fairness_get_owner(struct call *call);

struct job_owner fairness_of_credentials(const char *address, const struct secbuf *user);
