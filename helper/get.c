/* get: reads a server URL from stdin and prints its credential on stdout. */
#include <errno.h>

#include "helper/input.h"
#include "helper/protocol.h"
#include "helper/vault.h"

int verb_get(struct secbuf *ret_answer, struct error *err)
{
    CLEANUP(credential_done) struct credential credential = {0};
    int r = input_read_url(STDIN_FILENO, &credential.server_url, err);

    if (r == 0)
        r = vault_get(&credential, err);
    if (r == VAULT_NOT_FOUND)
        r = error_set(err, ENOENT, PROTOCOL_NOT_FOUND);
    if (r == 0 && credential_format(&credential, ret_answer) < 0)
        r = error_set_oom(err);
    return r;
}
