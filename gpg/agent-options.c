/*
 * The agent starts the pinentry. It does not know the terminal, the display and the language of the
 * user who is waiting, so we send them, as gpg does (GnuPG, common/session-env.c).
 */
#include "gpg/agent-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpg/assuan.h"

const char *agent_locale(const char *category)
{
    const char *const names[] = {"LC_ALL", category, "LANG"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            return value;
    }
    return "C";
}

/* Appends OPTION <name>=<value>; appends nothing if the value is NULL. */
static int append_option(struct secbuf *lines, const char *name, const char *value)
{
    char line[ASSUAN_LINE_MAX + 1];
    int size;

    if (!value)
        return 0;
    size = snprintf(line, sizeof(line), "OPTION %s=%s\n", name, value);
    if (size > ASSUAN_LINE_MAX || strpbrk(value, "\r\n"))
        return -E2BIG;
    return secbuf_append(lines, line, (size_t)size);
}

/* The agent's names for the variables. "putenv=" is for those that only the pinentry needs. */
static int append_environment(struct secbuf *lines)
{
    static const struct {
        const char *variable, *option;
    } known[] = {
        {"GPG_TTY", "ttyname"},
        {"TERM", "ttytype"},
        {"DISPLAY", "display"},
        {"XAUTHORITY", "xauthority"},
        {"XMODIFIERS", "putenv=XMODIFIERS"},
        {"WAYLAND_DISPLAY", "putenv=WAYLAND_DISPLAY"},
        {"XDG_SESSION_TYPE", "putenv=XDG_SESSION_TYPE"},
        {"QT_QPA_PLATFORM", "putenv=QT_QPA_PLATFORM"},
        {"GTK_IM_MODULE", "putenv=GTK_IM_MODULE"},
        {"DBUS_SESSION_BUS_ADDRESS", "putenv=DBUS_SESSION_BUS_ADDRESS"},
        {"QT_IM_MODULE", "putenv=QT_IM_MODULE"},
        {"INSIDE_EMACS", "putenv=INSIDE_EMACS"},
        {"PINENTRY_USER_DATA", "pinentry-user-data"},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(known); i++)
        r = append_option(lines, known[i].option, getenv(known[i].variable));
    return r;
}

int agent_options_append(struct secbuf *lines, enum gpg_pinentry_mode mode)
{
    static const char *const modes[] = {
        [GPG_PINENTRY_ASK] = "ask",
        [GPG_PINENTRY_CANCEL] = "cancel",
        [GPG_PINENTRY_ERROR] = "error",
    };
    static const char last[] = "OPTION allow-pinentry-notify\nOPTION agent-awareness=2.1.0\n";
    int r = append_environment(lines);

    if (r == 0)
        r = append_option(lines, "lc-ctype", agent_locale("LC_CTYPE"));
    if (r == 0)
        r = append_option(lines, "lc-messages", agent_locale("LC_MESSAGES"));
    if (r == 0 && mode != GPG_PINENTRY_DEFAULT)
        r = append_option(lines, "pinentry-mode", modes[mode]);
    return r < 0 ? r : secbuf_append(lines, last, strlen(last));
}
