/*
 * Reads what a client sends on stdin. Any byte may belong to a secret, so everything goes directly
 * into secure memory, without stdio's buffer.
 */
#include "helper/input.h"

#include <errno.h>
#include <string.h>

#include "common/utf8.h"
#include "helper/protocol.h"

enum { BLOCK = 4096 };

static int read_to_end(int fd, struct secbuf *ret, struct error *err)
{
    ssize_t n;

    do {
        if (secbuf_reserve(ret, BLOCK) < 0)
            return error_set_oom(err);
        n = read(fd, ret->data + ret->size, ret->capacity - ret->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read the request from standard input");
        ret->size += (size_t)n;
        if (ret->size > INPUT_MAX)
            return error_set(err, EFBIG,
                             "the request is too long: more than %zu bytes on standard input",
                             INPUT_MAX);
    } while (n != 0);
    return 0;
}

/* Works in place, because the text only gets shorter. */
static void join_lines(struct secbuf *text)
{
    unsigned char *data = text->data;
    size_t end = 0;

    for (size_t i = 0; i < text->size; i++) {
        bool is_last = i + 1 == text->size;

        if (data[i] == '\n' || (data[i] == '\r' && (is_last || data[i + 1] == '\n')))
            continue;
        data[end++] = data[i];
    }
    secbuf_truncate(text, end);
}

int input_read(int fd, struct secbuf *ret_text, struct error *err)
{
    int r = read_to_end(fd, ret_text, err);

    if (r == 0)
        join_lines(ret_text);
    return r;
}

int input_read_url(int fd, struct secbuf *ret_url, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    const unsigned char *start;
    size_t size;
    int r = input_read(fd, &text, err);

    if (r < 0)
        return r;
    utf8_trim(text.data, text.size, &start, &size);
    if (size == 0)
        return error_set(err, EINVAL, PROTOCOL_NO_SERVER_URL);
    return secbuf_append(ret_url, start, size) < 0 ? error_set_oom(err) : 0;
}
