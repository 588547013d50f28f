/*
 * The table of error codes. Clients show the message, and some check the code, so both are exactly
 * registry:2's.
 */
#include "registry/spec/error-code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-quote.h"
#include "common/macros.h"

static const struct {
    const char *name, *message;
    unsigned status;
} table[] = {
    [ERROR_CODE_UNKNOWN] = {"UNKNOWN", "unknown error", 500},
    [ERROR_CODE_UNSUPPORTED] = {"UNSUPPORTED", "The operation is unsupported.", 405},
    [ERROR_CODE_UNAUTHORIZED] = {"UNAUTHORIZED", "authentication required", 401},
    [ERROR_CODE_DENIED] = {"DENIED", "requested access to the resource is denied", 403},
    [ERROR_CODE_UNAVAILABLE] = {"UNAVAILABLE", "service unavailable", 503},
    [ERROR_CODE_TOOMANYREQUESTS] = {"TOOMANYREQUESTS", "too many requests", 429},
    [ERROR_CODE_BLOB_UNKNOWN] = {"BLOB_UNKNOWN", "blob unknown to registry", 404},
    [ERROR_CODE_BLOB_UPLOAD_INVALID] = {"BLOB_UPLOAD_INVALID", "blob upload invalid", 404},
    [ERROR_CODE_BLOB_UPLOAD_UNKNOWN] = {"BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry",
                                        404},
    [ERROR_CODE_DIGEST_INVALID] = {"DIGEST_INVALID",
                                   "provided digest did not match uploaded content", 400},
    [ERROR_CODE_MANIFEST_BLOB_UNKNOWN] = {"MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", 400},
    [ERROR_CODE_MANIFEST_INVALID] = {"MANIFEST_INVALID", "manifest invalid", 400},
    [ERROR_CODE_MANIFEST_UNKNOWN] = {"MANIFEST_UNKNOWN", "manifest unknown", 404},
    [ERROR_CODE_MANIFEST_UNVERIFIED] = {"MANIFEST_UNVERIFIED",
                                        "manifest failed signature verification", 400},
    [ERROR_CODE_NAME_INVALID] = {"NAME_INVALID", "invalid repository name", 400},
    [ERROR_CODE_NAME_UNKNOWN] = {"NAME_UNKNOWN", "repository name not known to registry", 404},
    [ERROR_CODE_PAGINATION_NUMBER_INVALID] = {"PAGINATION_NUMBER_INVALID",
                                              "invalid number of results requested", 400},
    [ERROR_CODE_RANGE_INVALID] = {"RANGE_INVALID", "invalid content range", 416},
    [ERROR_CODE_SIZE_INVALID] = {"SIZE_INVALID", "provided length did not match content length",
                                 400},
    [ERROR_CODE_TAG_INVALID] = {"TAG_INVALID", "manifest tag did not match URI", 400},
};

const char *error_code_get_name(enum error_code code)
{
    return table[code].name;
}

const char *error_code_get_message(enum error_code code)
{
    return table[code].message;
}

unsigned error_code_get_status(enum error_code code)
{
    return table[code].status;
}

char *error_code_format_message(enum error_code code, const char *message, const char *detail,
                                size_t *ret_size)
{
    CLEANUP_FREE char *quoted = json_quote_new(message);
    char *text;
    int size;

    if (!quoted)
        return NULL;
    size = asprintf(&text, "{\"errors\":[{\"code\":\"%s\",\"message\":%s%s%s}]}\n",
                    table[code].name, quoted, detail ? ",\"detail\":" : "", detail ? detail : "");
    if (size < 0)
        return NULL;
    *ret_size = (size_t)size;
    return text;
}

char *error_code_format(enum error_code code, const char *detail, size_t *ret_size)
{
    return error_code_format_message(code, table[code].message, detail, ret_size);
}
