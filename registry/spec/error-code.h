#pragma once

#include <stddef.h>

/*
 * The refusals of a registry: the codes of the OCI distribution specification ("Error codes") and
 * those that registry:2 has beside them, with registry:2's words and statuses. From any thread.
 */
enum error_code {
    ERROR_CODE_UNKNOWN,
    ERROR_CODE_UNSUPPORTED,
    ERROR_CODE_UNAUTHORIZED,
    ERROR_CODE_DENIED,
    ERROR_CODE_UNAVAILABLE,
    ERROR_CODE_TOOMANYREQUESTS,
    ERROR_CODE_BLOB_UNKNOWN,
    ERROR_CODE_BLOB_UPLOAD_INVALID,
    ERROR_CODE_BLOB_UPLOAD_UNKNOWN,
    ERROR_CODE_DIGEST_INVALID,
    ERROR_CODE_MANIFEST_BLOB_UNKNOWN,
    ERROR_CODE_MANIFEST_INVALID,
    ERROR_CODE_MANIFEST_UNKNOWN,
    ERROR_CODE_MANIFEST_UNVERIFIED,
    ERROR_CODE_NAME_INVALID,
    ERROR_CODE_NAME_UNKNOWN,
    ERROR_CODE_PAGINATION_NUMBER_INVALID,
    ERROR_CODE_RANGE_INVALID,
    ERROR_CODE_SIZE_INVALID,
    ERROR_CODE_TAG_INVALID,
};

/* "BLOB_UNKNOWN" */
const char *error_code_get_name(enum error_code code);

/* "blob unknown to registry" */
const char *error_code_get_message(enum error_code code);

/* The HTTP status. */
unsigned error_code_get_status(enum error_code code);

/*
 * The body: {"errors":[{"code":"...","message":"...","detail":...}]} and a newline. detail is JSON,
 * or NULL for a body without that member. NUL-terminated, owned by the caller, free with free();
 * NULL where memory is out. *ret_size is without the NUL.
 */
char *error_code_format(enum error_code code, const char *detail, size_t *ret_size);

/* Likewise with another message than the code's own; message is plain text. */
char *error_code_format_message(enum error_code code, const char *message, const char *detail, size_t *ret_size);
