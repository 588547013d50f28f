#pragma once

#include "registry/api/answer.h"

/* Where an upload session goes on, and how much of it is there: Location, Range, Docker-Upload-UUID. */
void upload_add_headers(const struct call *call, struct response *response, const char *id, uint64_t size);

/* 202 with these. */
void upload_answer(const struct call *call, struct response *response, const char *id, uint64_t size);
