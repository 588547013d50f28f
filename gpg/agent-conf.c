/* gpg-agent.conf: what it says, and whether gpg-agent accepts it. */
#include "gpg/agent-conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/process.h"
#include "gpg/patience.h"
#include "gpg/query.h"
#include "gpg/words.h"

enum { CONF_MAX = 1 << 16 };

/* A value as GnuPG reads it: blanks around it and quotes are removed. */
static char *copy_value(const char *text, size_t size)
{
    while (size > 0 && strchr(" \t\r", text[size - 1]))
        size--;
    if (size > 0 && text[0] == '"') {
        text++;
        size--;
        if (size > 0 && text[size - 1] == '"')
            size--;
    }
    return strndup(text, size);
}

char *gpg_agent_parse_option(const char *text, const char *name)
{
    size_t size = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        line += strspn(line, " \t");
        if (strncmp(line, name, size) == 0 && strchr(" \t\r\n", line[size])) {
            line += size + strspn(line + size, " \t");
            return copy_value(line, strcspn(line, "\n"));
        }
    }
    return NULL;
}

/* The option in one file; NULL if it is not there. */
static char *find_in_file(const char *path, const char *name)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    CLEANUP_FREE char *text = NULL;
    size_t size;

    return fd >= 0 && file_read_all(fd, CONF_MAX, &text, &size) == 0
               ? gpg_agent_parse_option(text, name)
               : NULL;
}

static char *find_in_own_conf(const char *name)
{
    CLEANUP_FREE char *home = NULL, *path = NULL;
    struct error err;

    if (gpg_find_home(&home, &err) < 0 || asprintf(&path, "%s/gpg-agent.conf", home) < 0)
        return NULL;
    return find_in_file(path, name);
}

/* The user's file wins over the system's. */
static char *find_in_agent_conf(const char *name)
{
    char *value = find_in_own_conf(name);

    return value ? value : find_in_file("/etc/gnupg/gpg-agent.conf", name);
}

bool gpg_agent_is_own_option(const char *name)
{
    CLEANUP_FREE char *value = find_in_own_conf(name);

    return value != NULL;
}

bool gpg_agent_has_option(const char *name)
{
    CLEANUP_FREE char *value = find_in_agent_conf(name);

    return value != NULL;
}

int gpg_agent_find_program(char **ret_path, struct error *err)
{
    return gpg_find_component("gpg-agent", ret_path, err);
}

int gpg_agent_find_standard_pinentry(char **ret_path, struct error *err)
{
    return gpg_find_component("pinentry", ret_path, err);
}

int gpg_agent_find_pinentry(char **ret_path, struct error *err)
{
    *ret_path = find_in_agent_conf("pinentry-program");
    if (*ret_path && **ret_path)
        return 0;
    free(*ret_path);
    *ret_path = NULL;
    return gpg_agent_find_standard_pinentry(ret_path, err);
}

/* --- the agent's own judgement --------------------------------------------------------------- */

bool gpg_agent_accepts_conf(const char *program, char ret_words[GPG_WORDS_SIZE])
{
    const char *argv[] = {program, "--gpgconf-test", NULL};
    int most = gpg_patience() < GPG_QUERY_SECONDS ? gpg_patience() : GPG_QUERY_SECONDS, status;
    char output[GPG_QUERY_SIZE];

    if (process_run(argv, most, output, sizeof(output), &status) < 0 || status != GPG_AGENT_REFUSES)
        return true;
    gpg_words_parse(output, ret_words);
    return false;
}
