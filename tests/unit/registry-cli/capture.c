#include "tests/unit/registry-cli/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/check.h"

void capture_begin(struct capture *capture, int fd)
{
    int pipe_fds[2];

    fflush(NULL);
    capture->fd = fd;
    capture->saved_fd = dup(fd);
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
    assert_true(capture->saved_fd >= 0 && dup2(pipe_fds[1], fd) >= 0);
    close(pipe_fds[1]);
    capture->reader_fd = pipe_fds[0];
}

const char *capture_end(struct capture *capture)
{
    ssize_t n;

    fflush(NULL);
    assert_true(dup2(capture->saved_fd, capture->fd) >= 0);
    n = read(capture->reader_fd, capture->text, sizeof(capture->text) - 1);
    capture->text[n < 0 ? 0 : n] = '\0';
    close(capture->saved_fd);
    close(capture->reader_fd);
    return capture->text;
}
