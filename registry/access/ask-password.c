/*
 * Reads a password from the terminal, without echo, or from standard input. It is never an
 * argument, because every user of the machine could read it there.
 */
#include "registry/access/ask-password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "common/file.h"

/* --- the terminal ----------------------------------------------------------------------- */

/*
 * Signals that would leave the terminal without echo if they ended or stopped the program at the
 * prompt.
 */
static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

static volatile sig_atomic_t caught;

static void note(int number)
{
    caught = number;
}

struct prompt {
    int fd;
    bool is_mute;
    struct termios before;
    struct sigaction actions[ARRAY_SIZE(watched)];
    sigset_t mask;
};

/*
 * The signals are delivered only in ppoll(). A signal just before a read(2) would not interrupt it.
 */
static void watch_signals(struct prompt *prompt)
{
    const struct sigaction action = {.sa_handler = note};
    sigset_t blocked;

    caught = 0;
    sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
        sigaddset(&blocked, watched[i]);
    sigprocmask(SIG_BLOCK, &blocked, &prompt->mask);
    for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
        sigaction(watched[i], &action, &prompt->actions[i]);
}

/* Restores the terminal, and then lets a signal have its usual effect. */
static void prompt_done(struct prompt *prompt)
{
    if (prompt->fd < 0)
        return;
    if (prompt->is_mute)
        tcsetattr(prompt->fd, TCSAFLUSH, &prompt->before);
    for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
        sigaction(watched[i], &prompt->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &prompt->mask, NULL);
    close(prompt->fd);
    prompt->fd = -1;
    if (caught)
        raise(caught);
}

static int prompt_open(struct prompt *prompt, struct error *err)
{
    struct termios mute;

    prompt->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (prompt->fd < 0)
        return error_set(
            err, ENOTTY,
            "there is no terminal to ask for the password; pass it on standard input, with -i");
    watch_signals(prompt);
    if (tcgetattr(prompt->fd, &prompt->before) < 0)
        return error_set_errno(err, errno, "cannot read the settings of the terminal");
    mute = prompt->before;
    mute.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    mute.c_lflag |= ICANON | ISIG;
    if (tcsetattr(prompt->fd, TCSAFLUSH, &mute) < 0)
        return error_set_errno(err, errno, "cannot switch off the echo of the terminal");
    prompt->is_mute = true;
    return 0;
}

/* Reads one byte. Returns -EINTR for a signal and -EPIPE at the end of the input. */
static int read_byte(const struct prompt *prompt, unsigned char *ret)
{
    struct pollfd polled = {.fd = prompt->fd, .events = POLLIN};
    ssize_t n;

    if (ppoll(&polled, 1, NULL, &prompt->mask) < 0)
        return -errno;
    n = read(prompt->fd, ret, 1);
    if (n < 0)
        return -errno;
    return n == 1 ? 0 : -EPIPE;
}

/* Reads one line without its newline. Returns 0 or -errno. */
static int read_line(const struct prompt *prompt, struct secbuf *line)
{
    int r = secbuf_reserve(line, ASK_PASSWORD_MAX + 1);

    while (r == 0) {
        r = read_byte(prompt, line->data + line->size);
        if (r < 0)
            return r;
        if (line->data[line->size] == '\n')
            return 0;
        if (line->size == ASK_PASSWORD_MAX)
            return -EMSGSIZE;
        line->size++;
    }
    return r;
}

static int ask(struct prompt *prompt, const char *question, struct secbuf *ret, struct error *err)
{
    int r = file_write_all(prompt->fd, question, strlen(question));

    if (r == 0)
        r = read_line(prompt, ret);
    if (caught)
        return ASK_INTERRUPTED;
    if (r == -EMSGSIZE)
        return error_set(err, EMSGSIZE, "the password is longer than %d bytes", ASK_PASSWORD_MAX);
    if (r < 0)
        return error_set_errno(err, -r, "cannot read the password from the terminal");
    r = file_write_all(prompt->fd, "\n", 1);
    return r < 0 ? error_set_errno(err, -r, "cannot write to the terminal") : 0;
}

int ask_password_twice(struct secbuf *ret_password, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf first = {0}, second = {0};
    CLEANUP(prompt_done) struct prompt prompt = {.fd = -1};
    int r = prompt_open(&prompt, err);

    if (r == 0)
        r = ask(&prompt, "New password: ", &first, err);
    if (r == 0)
        r = ask(&prompt, "Re-type new password: ", &second, err);
    if (r != 0)
        return r;
    if (!secbuf_is_equal(&first, &second))
        return ASK_DIFFERENT;
    return secbuf_append(ret_password, first.data, first.size) < 0 ? error_set_oom(err) : 0;
}

int ask_password_once(struct secbuf *ret_password, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    CLEANUP(prompt_done) struct prompt prompt = {.fd = -1};
    int r = prompt_open(&prompt, err);

    if (r == 0)
        r = ask(&prompt, "Enter password: ", &password, err);
    if (r != 0)
        return r;
    return secbuf_append(ret_password, password.data, password.size) < 0 ? error_set_oom(err) : 0;
}

/* --- standard input --------------------------------------------------------------------- */

/* Reads one byte more than allowed, to detect a password that is too long. */
static int read_input(int fd, struct secbuf *text)
{
    enum { MOST = ASK_PASSWORD_MAX + 2 + 1 };
    int r = secbuf_reserve(text, MOST);

    while (r == 0 && text->size < MOST) {
        ssize_t n = read(fd, text->data + text->size, MOST - text->size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        text->size += (size_t)n;
    }
    return r;
}

static void drop_line_end(struct secbuf *text)
{
    if (text->size == 0 || text->data[text->size - 1] != '\n')
        return;
    secbuf_truncate(text, text->size - 1);
    if (text->size > 0 && text->data[text->size - 1] == '\r')
        secbuf_truncate(text, text->size - 1);
}

int ask_password_from(int fd, struct secbuf *ret_password, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    int r = read_input(fd, &text);

    if (r < 0)
        return error_set_errno(err, -r, "cannot read the password from standard input");
    drop_line_end(&text);
    if (text.size > ASK_PASSWORD_MAX)
        return error_set(err, EMSGSIZE, "the password is longer than %d bytes", ASK_PASSWORD_MAX);
    if (memchr(text.data, '\0', text.size) || memchr(text.data, '\n', text.size))
        return error_set(err, EINVAL,
                         "the password on standard input must be one line, without a NUL");
    return secbuf_append(ret_password, text.data, text.size) < 0 ? error_set_oom(err) : 0;
}
