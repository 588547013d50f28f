#pragma once

#include "registry/api/endpoint.h"

/* The handler through which an HTTP server serves api, which is borrowed. */
void dispatch_init(struct api *api, struct http_handler *ret);
