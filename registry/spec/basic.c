/*
 * Parses the header that contains the password of a request. The password is decoded into secure
 * memory and nowhere else, by the project's strict base64 decoder.
 */
#include "registry/spec/basic.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base64.h"

static int decode(const char *text, size_t size, struct secbuf *ret_pair)
{
    int r = secbuf_reserve(ret_pair, size / 4 * 3 + 1); /* never without memory */

    return r < 0 ? r : base64_decode(text, size, ret_pair->data, &ret_pair->size);
}

/* The password stays in the memory of the pair. */
static int split(struct secbuf *pair, struct secbuf *ret_user, struct secbuf *ret_password)
{
    const unsigned char *colon = memchr(pair->data, ':', pair->size);
    size_t user_size, password_size;
    int r;

    if (!colon)
        return -EINVAL;
    user_size = (size_t)(colon - pair->data);
    password_size = pair->size - user_size - 1;
    r = secbuf_reserve(ret_user, user_size + 1);
    if (r == 0)
        r = secbuf_append(ret_user, pair->data, user_size);
    if (r < 0)
        return r;
    memmove(pair->data, colon + 1, password_size);
    secbuf_truncate(pair, password_size);
    *ret_password = *pair;
    *pair = (struct secbuf){0};
    return 0;
}

int basic_parse(const char *header, size_t size, struct secbuf *ret_user,
                struct secbuf *ret_password)
{
    static const char scheme[] = "Basic";
    const size_t scheme_size = sizeof(scheme) - 1;
    CLEANUP(secbuf_done) struct secbuf pair = {0};
    int r;

    if (size < scheme_size || strncasecmp(header, scheme, scheme_size) != 0)
        return BASIC_ABSENT;
    header += scheme_size;
    size -= scheme_size;
    if (size > 0 && *header != ' ')
        return BASIC_ABSENT; /* another scheme that begins with "Basic" */
    while (size > 0 && *header == ' ')
        header++, size--;
    while (size > 0 && header[size - 1] == ' ')
        size--;
    if (size > BASIC_MAX_SIZE)
        return -EINVAL;
    r = decode(header, size, &pair);
    return r < 0 ? r : split(&pair, ret_user, ret_password);
}
