/*
 * GnuPG's small programs (gpgconf, gpg-connect-agent) are run for `setup` and `doctor` only. `get`
 * does not need them.
 */
#include "gpg/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/process.h"
#include "common/words.h"
#include "gpg/patience.h"

int gpg_query(const char *const argv[], char ret_output[GPG_QUERY_SIZE], struct error *err)
{
    char words[WORDS_SIZE_MAX];
    int most = gpg_patience() < GPG_QUERY_SECONDS ? gpg_patience() : GPG_QUERY_SECONDS, status;
    int r = process_run(argv, most, ret_output, GPG_QUERY_SIZE, &status);

    if (r == -ETIMEDOUT)
        return error_set(
            err, ETIMEDOUT,
            "%s did not answer within %s; gpg-agent may hang, then end it with: gpgconf "
            "--kill gpg-agent",
            argv[0], words_duration((uint64_t)most, words));
    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r < 0 || status == 127)
        return error_set(err, ENOENT,
                         "%s cannot be run; install GnuPG (packages gpg, gpg-agent and gpgconf)",
                         argv[0]);
    return status == 0 ? 0
                       : error_set(err, EIO, "%s fails: %.*s", argv[0],
                                   (int)strcspn(ret_output, "\n"), ret_output);
}

/* The first line of what gpgconf says; owned by the caller. */
static int ask_gpgconf(const char *name, char **ret, struct error *err)
{
    char output[GPG_QUERY_SIZE];
    int r = gpg_query((const char *const[]){"gpgconf", "--list-dirs", name, NULL}, output, err);

    if (r < 0)
        return r;
    output[strcspn(output, "\n")] = '\0';
    *ret = strdup(output);
    return *ret ? 0 : error_set_oom(err);
}

int gpg_find_home(char **ret_path, struct error *err)
{
    return ask_gpgconf("homedir", ret_path, err);
}

int gpg_agent_find_socket(char **ret_path, struct error *err)
{
    return ask_gpgconf("agent-socket", ret_path, err);
}

int gpg_find_component(const char *name, char **ret_path, struct error *err)
{
    char output[GPG_QUERY_SIZE], *line;
    size_t size = strlen(name);
    int r = gpg_query((const char *const[]){"gpgconf", "--list-components", NULL}, output, err);

    if (r < 0)
        return r;
    for (line = output; *line && !(strncmp(line, name, size) == 0 && line[size] == ':');
         line += *line == '\n')
        line += strcspn(line, "\n");
    line = *line ? strchr(line + size + 1, ':') : NULL;
    if (!line)
        return error_set(err, ENOENT, "gpgconf does not know of %s; install it", name);
    *ret_path = strndup(line + 1, strcspn(line + 1, ":\n"));
    return *ret_path ? 0 : error_set_oom(err);
}
