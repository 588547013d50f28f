#pragma once

#include "registry/api/endpoint.h"
#include "registry/core/events.h"

/*
 * Reports finished requests, events and failed logins to the log and the metrics. Any thread may
 * call it.
 */

/* Reports a finished request. call is NULL if the request could not be read. */
void report_request(struct api *api, const struct call *call, const struct request *request,
                    const struct http_end *end);

/* For store_set_listener(); object is the struct api. */
void report_event(void *object, const struct event *event);

/* Reports a wrong password or an unknown user. user is what the client sent. */
void report_failed_login(const struct call *call, const struct secbuf *user);
