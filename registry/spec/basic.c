/*
 * The password of every request passes through here. It is decoded in secure memory and nowhere
 * else, and by the strict base64 that the rest of the project has.
 */
#include "registry/spec/basic.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base64.h"

/* To the alphabet that common/base64 reads; what is of that one alone is not taken. */
static int translate(struct secbuf *text)
{
    for (size_t i = 0; i < text->size; i++) {
        unsigned char *c = &text->data[i];

        if (*c == '-' || *c == '_')
            return -EINVAL;
        if (*c == '+')
            *c = '-';
        else if (*c == '/')
            *c = '_';
    }
    return 0;
}

static int decode(const char *text, size_t size, struct secbuf *ret_decoded)
{
    CLEANUP(secbuf_done) struct secbuf translated = {0};
    int r = secbuf_append(&translated, text, size);

    if (r == 0)
        r = translate(&translated);
    if (r == 0)
        r = secbuf_reserve(ret_decoded, size);
    if (r == 0)
        r = base64url_decode((const char *)translated.data, size, ret_decoded->data, &ret_decoded->size);
    return r;
}

/* Both or none. */
static int split(const struct secbuf *pair, struct secbuf *ret_user, struct secbuf *ret_password)
{
    const unsigned char *colon = memchr(pair->data, ':', pair->size);
    size_t user_size;
    int r;

    if (!colon)
        return -EINVAL;
    user_size = (size_t)(colon - pair->data);
    r = secbuf_reserve(ret_password, pair->size);
    if (r == 0)
        r = secbuf_append(ret_user, pair->data, user_size);
    return r < 0 ? r : secbuf_append(ret_password, colon + 1, pair->size - user_size - 1);
}

int basic_parse(const char *header, size_t size, struct secbuf *ret_user, struct secbuf *ret_password)
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
        return BASIC_ABSENT; /* "Basically" */
    while (size > 0 && *header == ' ')
        header++, size--;
    while (size > 0 && header[size - 1] == ' ')
        size--;
    if (size > BASIC_MAX_SIZE)
        return -EINVAL;
    r = decode(header, size, &pair);
    return r < 0 ? r : split(&pair, ret_user, ret_password);
}
