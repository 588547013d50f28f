/*
 * erase: reads a server URL from stdin and removes its entries. `docker logout` sends four
 * spellings of each server, so a missing entry is not a failure.
 */
#include "helper/input.h"
#include "helper/protocol.h"
#include "helper/vault.h"

int verb_erase(struct secbuf *ret_answer, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf url = {0};
    int r = input_read_url(STDIN_FILENO, &url, err);

    (void)ret_answer; /* nothing is printed on success */
    return r < 0 ? r : vault_erase(&url, err);
}
