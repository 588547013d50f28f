/*
 * GPGME keeps gpg's log of each operation. gpg reads its configuration before it knows where to log
 * to, so messages about the configuration are lost. `gpg --gpgconf-test` only reads the
 * configuration and prints them again.
 */
#include "gpg/words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/process.h"
#include "gpg/context-private.h"
#include "gpg/patience.h"

enum { LOG_SIZE = 4096, MOST_SECONDS = 10 };

static void read_log(struct gpg_context *gpg, char log[LOG_SIZE])
{
    CLEANUP(gpg_data_release) gpgme_data_t data = NULL;
    ssize_t n = 0;

    if (gpgme.data_new(&data) == 0 &&
        gpgme.op_getauditlog(gpg->handle, data, GPGME_AUDITLOG_DIAG) == 0 &&
        gpgme.data_seek(data, 0, SEEK_SET) == 0)
        n = gpgme.data_read(data, log, LOG_SIZE - 1);
    log[n > 0 ? n : 0] = '\0';
}

static void test_configuration(struct gpg_context *gpg, char log[LOG_SIZE])
{
    const char *home = gpgme.ctx_get_engine_info(gpg->handle)->home_dir;
    const char *argv[] = {"gpg", "--batch", "--no-tty", "--gpgconf-test", home ? "--homedir" : NULL,
                          home,  NULL};
    int most = gpg_patience() < MOST_SECONDS ? gpg_patience() : MOST_SECONDS, status;

    if (process_run(argv, most, log, LOG_SIZE, &status) < 0)
        log[0] = '\0';
}

/* The length of "gpg: " or "gpg-agent[1234]: " at the head of a line; 0 if it has none. */
static size_t skip_program(const char *line, size_t size)
{
    static const char *const programs[] = {"gpg-agent", "gpg"};

    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        size_t length = strlen(programs[i]);

        if (strncmp(line, programs[i], length) != 0)
            continue;
        if (line[length] == '[')
            length += strcspn(line + length, "]\n") + 1;
        if (length + 2 < size && line[length] == ':' && line[length + 1] == ' ')
            return length + 2;
    }
    return 0;
}

void gpg_words_parse(const char *log, char ret[GPG_WORDS_SIZE])
{
    size_t used = 0;

    ret[0] = '\0';
    for (const char *line = log; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t size = strcspn(line, "\n"), prefix;

        /* an empty line, or the continuation of the last one */
        if (size == 0 || isspace((unsigned char)line[0]))
            continue;
        prefix = skip_program(line, size);
        line += prefix;
        size -= prefix;
        if (used + size + sizeof("; ") > GPG_WORDS_SIZE)
            return;
        used += (size_t)snprintf(ret + used, GPG_WORDS_SIZE - used, "%s%.*s", used ? "; " : "",
                                 (int)size, line);
    }
}

void gpg_words_read(struct gpg_context *gpg, char ret[GPG_WORDS_SIZE])
{
    char log[LOG_SIZE];

    read_log(gpg, log);
    if (!*log && gpg->status.has_option_failure)
        test_configuration(gpg, log);
    gpg_words_parse(log, ret);
}

bool gpg_words_include(struct gpg_context *gpg, const char *text)
{
    char log[LOG_SIZE];

    read_log(gpg, log);
    return strstr(log, text) != NULL;
}
