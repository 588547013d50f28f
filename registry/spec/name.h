#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Validates the names of repositories, tags and upload sessions (OCI distribution specification,
 * "Pulling manifests"). Texts have exactly size bytes and need no NUL. Pure; any thread may call
 * it.
 */
enum { NAME_MAX_SIZE = 255, TAG_MAX_SIZE = 128, UPLOAD_ID_SIZE = 36 };

/*
 * [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*, of at most NAME_MAX_SIZE
 * bytes.
 */
bool name_is_repository(const char *text, size_t size);

/* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */
bool name_is_tag(const char *text, size_t size);

/*
 * A UUID as random_uuid() and registry:2 write it: lower-case digits in groups of 8, 4, 4, 4 and
 * 12.
 */
bool name_is_upload(const char *text, size_t size);
