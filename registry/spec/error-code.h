#pragma once

#include <stddef.h>

/*
 * The error codes of the OCI distribution specification ("Error Codes") and the additional ones of
 * registry:2, with registry:2's messages and statuses. Any thread may call these functions.
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
 * or NULL for a body without that member. The result ends with a NUL, which *ret_size does not
 * count, and is owned by the caller, free with free(). NULL: out of memory.
 */
char *error_code_format(enum error_code code, const char *detail, size_t *ret_size);

/* The same with another message; message is plain text. */
char *error_code_format_message(enum error_code code, const char *message, const char *detail,
                                size_t *ret_size);
