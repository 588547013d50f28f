/*
 * list: prints every server and its user, from the file names in the store. Decrypts nothing and
 * does not start gpg. A missing store has no servers.
 */
#include "helper/credential.h"
#include "helper/protocol.h"
#include "helper/vault.h"

static int append_item(struct secbuf *answer, const struct pass_listed *item, bool is_first)
{
    int r = is_first ? 0 : secbuf_append(answer, ",", 1);

    if (r == 0)
        r = credential_append_quoted(answer, item->url, item->url_size);
    if (r == 0)
        r = secbuf_append(answer, ":", 1);
    if (r == 0)
        r = credential_append_quoted(answer, item->username, item->username_size);
    return r;
}

int verb_list(struct secbuf *ret_answer, struct error *err)
{
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    int r = vault_list(&listing, err);

    if (r < 0)
        return r;
    r = secbuf_append(ret_answer, "{", 1);
    for (size_t i = 0; r == 0 && i < listing.count; i++)
        r = append_item(ret_answer, &listing.items[i], i == 0);
    if (r == 0)
        r = secbuf_append(ret_answer, "}\n", 2);
    return r < 0 ? error_set_oom(err) : 0;
}
