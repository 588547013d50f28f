#include "helper/setup/compare.h"

#include <string.h>

#include "helper/vault.h"

static struct secbuf without_line_ends(const struct secbuf *text)
{
    struct secbuf view = *text;

    while (view.size > 0 && (view.data[view.size - 1] == '\n' || view.data[view.size - 1] == '\r'))
        view.size--;
    return view;
}

bool setup_can_keep(const struct secbuf *secret)
{
    struct secbuf view = without_line_ends(secret);

    return view.size == secret->size ||
           (view.size > 1 && view.data[0] == '{' && view.data[view.size - 1] == '}');
}

int setup_compare(const char *name, const struct client_login *login, struct error *err)
{
    CLEANUP(credential_done) struct credential stored = {0};
    struct client_login found;
    int r;

    if (secbuf_append(&stored.server_url, name, strlen(name)) < 0)
        return error_set_oom(err);
    r = vault_get(&stored, err);
    if (r == VAULT_NOT_FOUND)
        return STORE_HAS_NONE;
    if (r < 0)
        return r;
    /* borrows them */
    found = (struct client_login){.username = stored.username, .secret = stored.secret};
    return client_login_is_same(login, &found) ? STORE_HAS_SAME : STORE_HAS_OTHER;
}

int setup_put(const char *name, const struct client_login *login, struct error *err)
{
    CLEANUP(credential_done) struct credential credential = {0};

    if (secbuf_append(&credential.server_url, name, strlen(name)) < 0 ||
        secbuf_append(&credential.username, login->username.data, login->username.size) < 0 ||
        secbuf_append(&credential.secret, login->secret.data, login->secret.size) < 0)
        return error_set_oom(err);
    return vault_put(&credential, err);
}
