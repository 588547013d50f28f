#include "helper/client/read-secret-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/file.h"

enum { BLOCK = 16384 };

static int read_to_end(int fd, struct secbuf *text)
{
    ssize_t n;

    do {
        if (secbuf_reserve(text, BLOCK) < 0)
            return -ENOMEM;
        n = read(fd, text->data + text->size, text->capacity - text->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text->size += (size_t)n;
        if (text->size > SECRET_FILE_MAX)
            return -EFBIG;
    } while (n != 0);
    return 0;
}

int read_secret_file(const char *path, struct secbuf *ret_text, struct stat *ret_stat)
{
    struct stat st;
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, &st);

    if (fd < 0)
        return fd;
    if (st.st_size > (off_t)SECRET_FILE_MAX)
        return -EFBIG;
    if (ret_stat)
        *ret_stat = st;
    return read_to_end(fd, ret_text);
}
