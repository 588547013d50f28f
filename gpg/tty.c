/*
 * Docker gives a helper pipes for stdin and stdout, so `export GPG_TTY=$(tty)` in a shell below it
 * sets GPG_TTY to "not a tty". With other helpers this is the most common cause of "No secret key".
 * This file finds the terminal without the user's help.
 */
#include "gpg/tty.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/macros.h"

/* Device majors, from the kernel's Documentation/admin-guide/devices.txt. */
enum { MAJOR_TTY = 4, MAJOR_PTS_FIRST = 136, MAJOR_PTS_LAST = 143, FIRST_SERIAL_MINOR = 64 };

/* Links such as /dev/stderr and /dev/tty lead elsewhere in each process. */
static bool is_terminal(const char *path)
{
    CLEANUP_CLOSE int fd = -1;
    struct stat st;

    if (strncmp(path, "/dev/", 5) != 0 || strcmp(path, "/dev/tty") == 0)
        return false;
    if (lstat(path, &st) < 0 || !S_ISCHR(st.st_mode))
        return false;
    fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && isatty(fd);
}

static bool find_tty_of_streams(char *ret_path, size_t size)
{
    static const int streams[] = {STDERR_FILENO, STDIN_FILENO, STDOUT_FILENO};

    for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
        if (isatty(streams[i]) && ttyname_r(streams[i], ret_path, size) == 0)
            return true;
    return false;
}

/* The agent is another process and cannot use /dev/tty: it needs the device's own name. */
static bool find_controlling_tty(char *ret_path, size_t size)
{
    CLEANUP_CLOSE int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    unsigned int device;

    if (fd < 0 || ioctl(fd, TIOCGDEV, &device) < 0)
        return false;
    if (major(device) >= MAJOR_PTS_FIRST && major(device) <= MAJOR_PTS_LAST)
        snprintf(ret_path, size, "/dev/pts/%u", minor(device));
    else if (major(device) == MAJOR_TTY && minor(device) < FIRST_SERIAL_MINOR)
        snprintf(ret_path, size, "/dev/tty%u", minor(device));
    else if (major(device) == MAJOR_TTY)
        snprintf(ret_path, size, "/dev/ttyS%u", minor(device) - FIRST_SERIAL_MINOR);
    else
        return false;
    return is_terminal(ret_path);
}

void gpg_tty_export(void)
{
    const char *given = getenv("GPG_TTY");
    char path[PATH_MAX];

    if (!getenv("TERM"))
        setenv("TERM", "linux", 0);
    if (given && is_terminal(given))
        return;
    if (find_tty_of_streams(path, sizeof(path)) || find_controlling_tty(path, sizeof(path)))
        setenv("GPG_TTY", path, 1);
    else
        unsetenv("GPG_TTY");
}
