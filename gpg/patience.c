/* The time limit for gpg, its agent and git: each may hang, or be another program. */
#include "gpg/patience.h"

#include <errno.h>
#include <string.h>

enum { STANDARD_S = 120, LONGEST_S = 86400 };

int gpg_patience_read(int *ret_seconds, struct error *err)
{
    const char *text = getenv("DOCKER_CREDENTIAL_PASS_TIMEOUT");
    unsigned long seconds = STANDARD_S;

    *ret_seconds = STANDARD_S;
    if (!text || !*text)
        return 0;
    seconds = strspn(text, "0123456789") == strlen(text) ? strtoul(text, NULL, 10) : 0;
    if (seconds < 1 || seconds > LONGEST_S)
        return error_set(err, EINVAL,
                         "DOCKER_CREDENTIAL_PASS_TIMEOUT is \"%s\", which is not a number of "
                         "seconds from 1 to %d",
                         text, LONGEST_S);
    *ret_seconds = (int)seconds;
    return 0;
}

int gpg_patience(void)
{
    int seconds;

    return gpg_patience_read(&seconds, NULL) < 0 ? STANDARD_S : seconds;
}
