#pragma once

#include <stdint.h>

#include "registry/access/authenticator.h"
#include "registry/api/dispatch.h"
#include "registry/http/server.h"

/*
 * Counters in Prometheus' text format, with registry:2's names where it has them. Counting is for
 * any thread and takes no lock.
 */

/* Counts a request that is over. */
void metrics_count(const struct call_report *report);

/* The text of /metrics, of server and authenticator (NULL: none). Owned by the caller, free with free(); NULL if memory is out. */
char *metrics_format(const struct server *server, const struct authenticator *authenticator, size_t *ret_size);
