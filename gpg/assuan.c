/*
 * The part of the Assuan protocol (the manual of libassuan, "Implementation") that one decryption
 * needs. libassuan itself would copy everything into its own memory.
 */
#include "gpg/assuan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "common/file.h"
#include "common/monotonic.h"

enum { REDIRECTION_MAX = 512, CONNECT_TIMEOUT_S = 5 };

void assuan_done(struct assuan *assuan)
{
    cleanup_close_fd(&assuan->fd);
    assuan->fd = -1;
    secbuf_done(&assuan->in);
}

void assuan_set_timeout(struct assuan *assuan, int64_t milliseconds)
{
    assuan->deadline_ms =
        milliseconds == ASSUAN_FOREVER ? ASSUAN_FOREVER : monotonic_ms() + milliseconds;
}

/* --- connecting ------------------------------------------------------------------------------ */

/* connect() waits while the agent's queue is full; this limits the wait. */
static int connect_to(const char *path, int *ret_fd)
{
    const struct timeval patience = {.tv_sec = CONNECT_TIMEOUT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
        return -errno;
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* "%Assuan%", a newline, "socket=" and a path; variables in the path are not followed. */
static int read_redirection(const char *path, char ret_path[REDIRECTION_MAX])
{
    static const char head[] = "%Assuan%\nsocket=";
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    CLEANUP_FREE char *text = NULL;
    size_t size, length;

    if (fd < 0 || file_read_all(fd, REDIRECTION_MAX - 1, &text, &size) < 0 ||
        strncmp(text, head, strlen(head)) != 0)
        return -ECONNREFUSED;
    length = strcspn(text + strlen(head), "\r\n");
    if (strlen(text) != size || text[strlen(head)] != '/' ||
        memchr(text + strlen(head), '$', length))
        return -ENOTSUP;
    memcpy(ret_path, text + strlen(head), length);
    ret_path[length] = '\0';
    return 0;
}

int assuan_connect(const char *path, struct assuan *ret)
{
    char other[REDIRECTION_MAX];
    int fd, r = connect_to(path, &fd);

    if (r == -ECONNREFUSED) {
        r = read_redirection(path, other);
        if (r == 0)
            r = connect_to(other, &fd);
    }
    if (r == 0)
        *ret = (struct assuan){.fd = fd, .deadline_ms = ASSUAN_FOREVER};
    return r;
}

/* --- lines ----------------------------------------------------------------------------------- */

int assuan_send(struct assuan *assuan, const void *lines, size_t size)
{
    const char *at = lines;

    while (size > 0) {
        ssize_t n = send(assuan->fd, at, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Waits until data can be received. */
static int wait_for_input(struct assuan *assuan)
{
    struct pollfd waited = {.fd = assuan->fd, .events = POLLIN};

    for (;;) {
        int64_t left =
            assuan->deadline_ms == ASSUAN_FOREVER ? -1 : assuan->deadline_ms - monotonic_ms();
        int r;

        if (assuan->deadline_ms != ASSUAN_FOREVER && left <= 0)
            return -ETIMEDOUT;
        r = poll(&waited, 1, (int)left);
        if (r > 0)
            return 0;
        if (r < 0 && errno != EINTR)
            return -errno;
    }
}

/* Makes room for a line by dropping the lines that were already returned. */
static int make_room(struct assuan *assuan)
{
    struct secbuf *in = &assuan->in;

    if (assuan->taken > 0) {
        memmove(in->data, in->data + assuan->taken, in->size - assuan->taken);
        secbuf_truncate(in, in->size - assuan->taken);
        assuan->taken = 0;
    }
    return secbuf_reserve(in, ASSUAN_LINE_MAX);
}

static int receive_more(struct assuan *assuan)
{
    struct secbuf *in = &assuan->in;
    ssize_t n;
    int r = make_room(assuan);

    if (r == 0)
        r = wait_for_input(assuan);
    if (r < 0)
        return r;
    n = recv(assuan->fd, in->data + in->size, in->capacity - in->size, 0);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    in->size += (size_t)n;
    return n == 0 ? -EPIPE : 0;
}

/* Returns the next line if it is complete. */
static bool take_line(struct assuan *assuan, struct assuan_line *ret)
{
    size_t left = assuan->in.size - assuan->taken;
    const unsigned char *begin, *end;

    if (left == 0)
        return false;
    begin = assuan->in.data + assuan->taken;
    end = memchr(begin, '\n', left);
    if (!end)
        return false;
    *ret = (struct assuan_line){begin, (size_t)(end - begin)};
    assuan->taken += ret->size + 1;
    return true;
}

int assuan_receive(struct assuan *assuan, struct assuan_line *ret)
{
    for (;;) {
        int r;

        if (take_line(assuan, ret)) {
            if (ret->size >= ASSUAN_LINE_MAX)
                return -EPROTO;
            if (ret->size > 0 && ret->data[0] == '#')
                continue;
            return 0;
        }
        if (assuan->in.size - assuan->taken >= ASSUAN_LINE_MAX)
            return -EPROTO;
        r = receive_more(assuan);
        if (r < 0)
            return r;
    }
}

bool assuan_is(const struct assuan_line *line, const char *word, struct assuan_line *ret_rest)
{
    size_t length = strlen(word);

    if (line->size < length || memcmp(line->data, word, length) != 0 ||
        (line->size > length && line->data[length] != ' '))
        return false;
    if (line->size > length)
        length++;
    if (ret_rest)
        *ret_rest = (struct assuan_line){line->data + length, line->size - length};
    return true;
}

unsigned assuan_parse_error(const struct assuan_line *text)
{
    unsigned number = 0;

    for (size_t i = 0; i < text->size && i < 10 && text->data[i] >= '0' && text->data[i] <= '9';
         i++)
        number = number * 10 + (unsigned)(text->data[i] - '0');
    return number;
}

/* --- data ------------------------------------------------------------------------------------ */

int assuan_escape(struct secbuf *ret, const void *data, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    const unsigned char *at = data;
    unsigned char *out;

    if (secbuf_reserve(ret, 3 * size) < 0)
        return -ENOMEM;
    out = ret->data + ret->size;
    for (size_t i = 0; i < size; i++) {
        if (memchr("%\r\n", at[i], 3)) {
            *out++ = '%';
            *out++ = (unsigned char)digits[at[i] >> 4];
            *out++ = (unsigned char)digits[at[i] & 15];
        } else {
            *out++ = at[i];
        }
    }
    ret->size = (size_t)(out - ret->data);
    return 0;
}

static int value_of_digit(unsigned char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int assuan_unescape(const struct assuan_line *text, struct secbuf *ret)
{
    const unsigned char *at = text->data, *end = at + text->size;
    unsigned char *out;

    if (secbuf_reserve(ret, text->size) < 0)
        return -ENOMEM;
    for (out = ret->data + ret->size; at < end; at++) {
        if (*at != '%') {
            *out++ = *at;
            continue;
        }
        if (end - at < 3 || value_of_digit(at[1]) < 0 || value_of_digit(at[2]) < 0) {
            explicit_bzero(ret->data + ret->size, (size_t)(out - (ret->data + ret->size)));
            return -EPROTO;
        }
        *out++ = (unsigned char)(value_of_digit(at[1]) << 4 | value_of_digit(at[2]));
        at += 2;
    }
    ret->size = (size_t)(out - ret->data);
    return 0;
}
