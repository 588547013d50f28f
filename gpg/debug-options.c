/*
 * Tried with GnuPG 2.2.40: gpg and gpg-agent print session keys if "crypto" is among the debug
 * flags; gpg writes what it decrypts into files dbgmd-* if "hashing" is. The other flags print
 * neither.
 */
#include "gpg/debug-options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/file.h"
#include "gpg/failure.h"

enum { CRYPTO = 4, HASHING = 512, EXPERT_LEVEL = 8, LINE_MAX_SIZE = 100, CONF_MAX = 64 << 10 };

static bool is_word(const char *word, size_t size, const char *wanted)
{
    return strlen(wanted) == size && strncasecmp(word, wanted, size) == 0;
}

/* "debug-level guru", or a number above that of "expert". */
static bool is_leaking_level(const char *value, size_t size)
{
    return is_word(value, size, "guru") || strtol(value, NULL, 10) > EXPERT_LEVEL;
}

/* "debug" has a number, or names with commas between them. */
static bool is_leaking_flags(const char *value, size_t size)
{
    if (strtoul(value, NULL, 0) & (CRYPTO | HASHING))
        return true;
    for (const char *at = value; at < value + size;) {
        size_t length = strcspn(at, ", \t\r\n");

        if (is_word(at, length, "crypto") || is_word(at, length, "hashing") ||
            is_word(at, length, "all"))
            return true;
        at += length + 1;
    }
    return false;
}

static bool is_leak(const char *line, size_t size)
{
    size_t length = strcspn(line, " \t\r\n");
    const char *value = line + length + strspn(line + length, " \t");
    size_t value_size = line + size > value ? (size_t)(line + size - value) : 0;

    if (is_word(line, length, "debug-all") || is_word(line, length, "show-session-key"))
        return true;
    if (value_size == 0)
        return false;
    return is_word(line, length, "debug-level")
               ? is_leaking_level(value, value_size)
               : is_word(line, length, "debug") && is_leaking_flags(value, value_size);
}

char *gpg_debug_find(const char *text)
{
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t size;

        line += strspn(line, " \t");
        size = strcspn(line, "\n");
        while (size > 0 && strchr(" \t\r", line[size - 1]))
            size--;
        if (is_leak(line, size))
            return strndup(line, size < LINE_MAX_SIZE ? size : LINE_MAX_SIZE);
    }
    return NULL;
}

static int check_file(const char *directory, const char *name, struct error *err)
{
    CLEANUP_FREE char *path = NULL, *text = NULL, *line = NULL;
    CLEANUP_CLOSE int fd = -1;
    size_t size;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return error_set_oom(err);
    }
    fd = file_open_regular(AT_FDCWD, path, NULL);
    if (fd < 0 || file_read_all(fd, CONF_MAX, &text, &size) < 0)
        return 0; /* gpg cannot read it either, or says more about it */
    line = gpg_debug_find(text);
    return !line ? 0
                 : error_set(err, GPG_FAILURE_CONFIGURATION,
                             "%s has the line \"%s\", with which gpg writes passwords into files; "
                             "remove it and try again",
                             path, line);
}

int gpg_debug_check(const char *home, struct error *err)
{
    int r = check_file(home, "gpg.conf", err);

    return r < 0 ? r : check_file("/etc/gnupg", "gpg.conf", err);
}
