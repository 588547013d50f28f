#pragma once

#include "registry/http/request-private.h"

/*
 * Whether the head of a request can be taken for one thing alone, by us and by any proxy before us (RFC 9112): what is
 * wrong with it in a few words, or NULL. url and version are what libmicrohttpd's handler is called with. On an event
 * thread, once, before anything else is made of the request; what Authorization headers hold is wiped if it is refused.
 * Sets request->body_size.
 */
const char *request_check(struct exchange *exchange, const char *url, const char *version);
