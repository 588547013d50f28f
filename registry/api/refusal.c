#include "registry/api/refusal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"

void response_refuse(struct response *response, enum error_code code, const char *detail)
{
    size_t size = 0;
    char *text = error_code_format(code, detail, &size);

    response_set_body(response, error_code_get_status(code), "application/json; charset=utf-8",
                      text, size);
}

/* Failures that are temporary or that an operator can fix. */
static const struct failure {
    int code;
    unsigned status;
    const char *message;
} failures[] = {
    {ENOSPC, 507, "the registry's storage is full"},
    {EDQUOT, 507, "the registry's storage is full"},
    {EFBIG, 507, "the registry's storage does not support files of this size"},
    {EOVERFLOW, 413,
     "the blob needs more parts than the bucket allows; the registry needs a larger "
     "storage.s3.chunksize"},
    {EROFS, 503, "the registry's storage is read-only"},
    {EMFILE, 503, "the registry has too many open files; try again later"},
    {ENFILE, 503, "the registry has too many open files; try again later"},
    {ENOMEM, 503, "the registry is out of memory; try again later"},
    {EHOSTDOWN, 503, "the registry's storage does not answer; try again later"},
    {EAGAIN, 503, "the registry is busy; try again later"},
    {ECANCELED, 503, "the registry is being stopped; try again later"},
    {ESHUTDOWN, 503, "the registry is being stopped; try again later"},
};

static const struct failure *find_failure(int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        if (failures[i].code == code)
            return &failures[i];
    }
    return NULL;
}

static void set_failure(struct response *response, const struct failure *failure)
{
    size_t size = 0;
    char *text = error_code_format_message(ERROR_CODE_UNAVAILABLE, failure->message, NULL, &size);

    response_set_body(response, failure->status, "application/json; charset=utf-8", text, size);
    if (failure->status == 503)
        response_add_header(response, "Retry-After", "5");
}

void response_fail(struct response *response, const struct error *err)
{
    const struct failure *failure = find_failure(err->code);

    response_drop_headers(response);
    if (failure)
        set_failure(response, failure);
    else
        response_refuse(response, ERROR_CODE_UNKNOWN, NULL);
    free(response->failure);
    response->failure = strdup(err->text);
}

void response_deny(struct response *response, unsigned status, const char *words,
                   const char *detail)
{
    size_t size = 0;
    char *text = error_code_format_message(ERROR_CODE_DENIED, words, detail, &size);

    response_set_body(response, status, "application/json; charset=utf-8", text, size);
}

void response_fail_oom(struct response *response)
{
    struct error err;

    error_set_oom(&err);
    response_fail(response, &err);
}
