#pragma once

#include <microhttpd.h>

#include "registry/http/response.h"
#include "registry/http/server.h"

/*
 * Queues the answer on its connection; only on the event thread, at one of the moments at which
 * libmicrohttpd takes one. Leaves an empty response: what it held goes when it is sent.
 */
enum MHD_Result response_send(struct MHD_Connection *connection, struct response *response,
                              const struct server_options *options);
