#pragma once

/* Catches what a function writes to a descriptor of stdio, such as STDOUT_FILENO. For short texts.
 */
struct capture {
    int fd, saved_fd, reader_fd;
    char text[1000];
};

void capture_begin(struct capture *capture, int fd);
/* The text so far; the descriptor is as before. */
const char *capture_end(struct capture *capture);
