#pragma once

#include <stdint.h>

#include "registry/api/endpoint.h"

/*
 * In whose turn work waits (registry/runtime/job-queue.h). A logged-in user is a principal wherever they come from; where
 * nobody logs in, each client network is one. A password that has to be checked waits in the turn of its
 * client's network, because anybody can invent user names.
 */
struct job_owner fairness_of_call(const struct call *call);
struct job_owner fairness_of_credentials(const char *address, const struct secbuf *user);
