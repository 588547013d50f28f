#pragma once

#include <stdint.h>

#include "registry/api/endpoint.h"

/*
 * In whose turn work waits (registry/runtime/worker-pool.h): requests of one user, or of one client
 * network where nobody logs in, wait for one another, and others do not wait for them.
 */
uint64_t fairness_of_call(const struct call *call);
uint64_t fairness_of_credentials(const char *address, const struct secbuf *user);
