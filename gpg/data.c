/*
 * gpgme.data_new() would keep the plaintext in ordinary memory and leave a copy behind when it
 * grows. With callbacks the plaintext goes directly into our own memory.
 */
#include "gpg/data.h"

#include <errno.h>
#include <string.h>

static ssize_t on_read(void *handle, void *buffer, size_t size)
{
    struct gpg_stream *stream = handle;
    size_t left = stream->buf->size - stream->at;
    size_t n = size < left ? size : left;

    if (n)
        memcpy(buffer, stream->buf->data + stream->at, n);
    stream->at += n;
    return (ssize_t)n;
}

static ssize_t on_write(void *handle, const void *buffer, size_t size)
{
    struct gpg_stream *stream = handle;

    if (size > stream->limit - stream->buf->size) {
        errno = EFBIG;
        return -1;
    }
    if (secbuf_append(stream->buf, buffer, size) < 0) {
        errno = ENOMEM;
        return -1;
    }
    return (ssize_t)size;
}

static gpgme_error_t new_data(struct gpgme_data_cbs *callbacks, struct gpg_stream *stream,
                              gpgme_data_t *ret)
{
    gpgme_error_t e = gpgme.data_new_from_cbs(ret, callbacks, stream);

    return e ? e : gpgme.data_set_flag(*ret, "sensitive", "1");
}

gpgme_error_t gpg_data_new_reader(struct gpg_stream *stream, gpgme_data_t *ret)
{
    static struct gpgme_data_cbs callbacks = {.read = on_read};

    return new_data(&callbacks, stream, ret);
}

gpgme_error_t gpg_data_new_writer(struct gpg_stream *stream, gpgme_data_t *ret)
{
    static struct gpgme_data_cbs callbacks = {.write = on_write};

    return new_data(&callbacks, stream, ret);
}
