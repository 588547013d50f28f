#include "registry/storage/s3/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *s3_answer_get_header(const struct s3_answer *answer, const char *name)
{
    return exchange_get_header(answer->exchange, name);
}

int s3_answer_get_size(const struct s3_answer *answer, const char *name, uint64_t *ret)
{
    const char *text = s3_answer_get_header(answer, name);
    char *end;

    if (!text || *text < '0' || *text > '9')
        return -EBADMSG;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno || *end ? -EBADMSG : 0;
}

ssize_t s3_answer_read(struct s3_answer *answer, void *ret_data, size_t size)
{
    return exchange_read(answer->exchange, ret_data, size);
}

ssize_t s3_answer_try(struct s3_answer *answer, void *ret_data, size_t size)
{
    return exchange_try(answer->exchange, ret_data, size);
}

void s3_answer_await(struct s3_answer *answer)
{
    exchange_await(answer->exchange);
}

void s3_answer_notify(struct s3_answer *answer, exchange_ready *ready, void *object)
{
    exchange_notify(answer->exchange, ready, object);
}

ssize_t s3_answer_borrow(struct s3_answer *answer, size_t skip, const void **ret_data)
{
    return exchange_borrow(answer->exchange, skip, ret_data);
}

int s3_answer_fail(const struct s3_answer *answer, const struct s3_request *request,
                   struct error *err)
{
    bool is_refused = answer->status == 401 || answer->status == 403;
    bool is_expired = strcmp(answer->code, S3_EXPIRED_TOKEN) == 0; /* and new keys may come */

    (void)request;
    return error_set(err, is_expired ? EHOSTDOWN : is_refused ? EACCES : EIO, "the store answered %d%s%s", answer->status,
                     *answer->code ? " " : "", answer->code);
}

void s3_answer_done(struct s3_answer *answer)
{
    exchange_close(answer->exchange);
    free(answer->bytes);
    *answer = (struct s3_answer){0};
}
