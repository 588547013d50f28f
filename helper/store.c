/* store: reads a credential from stdin and stores it as an encrypted entry. */
#include "helper/input.h"
#include "helper/protocol.h"
#include "helper/vault.h"

int verb_store(struct secbuf *ret_answer, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf request = {0};
    CLEANUP(credential_done) struct credential credential = {0};
    int r = input_read(STDIN_FILENO, &request, err);

    (void)ret_answer; /* nothing is printed on success */
    if (r == 0)
        r = credential_parse(request.data, request.size, &credential, err);
    return r < 0 ? r : vault_put(&credential, err);
}
