#pragma once

#include <stdint.h>

#include "registry/api/endpoint.h"

/*
 * Says in whose queue work waits (registry/runtime/job-queue.h). A logged-in user is one principal,
 * whatever their address. Without a login, each client network is a principal. A password check is
 * queued for the client's network, because anybody can invent user names.
 */
struct job_owner fairness_of_call(const struct call *call);

/*
 * The same, computed once: of the principal at the first call. Most requests have no work that
 * waits. Borrowed, valid until the call is over.
 */
const struct job_owner *fairness_get_owner(struct call *call);

struct job_owner fairness_of_credentials(const char *address, const struct secbuf *user);
