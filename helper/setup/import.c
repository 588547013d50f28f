#include "helper/setup/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "helper/terminal.h"
#include "helper/vault.h"

#define STORE "pass"

void setup_import_done(struct setup_import *import)
{
    other_servers_done(&import->servers);
    free(import->results);
    *import = (struct setup_import){0};
}

int setup_import_find(const char *helper, struct setup_import *ret, struct error *err)
{
    CLEANUP(setup_import_done) struct setup_import import = {.helper = helper};
    int r;

    r = other_helper_list(helper, &import.servers, err);
    if (r < 0)
        return r;
    import.results = calloc(import.servers.count + 1, sizeof(*import.results));
    if (!import.results)
        return error_set_oom(err);
    *ret = import;
    import = (struct setup_import){0};
    return 0;
}

static int ask_store(const char *server, struct credential *ret, struct error *err)
{
    if (secbuf_append(&ret->server_url, server, strlen(server)) < 0)
        return error_set_oom(err);
    return vault_get(ret, err);
}

static bool is_same(const struct credential *a, const struct credential *b)
{
    return secbuf_is_equal(&a->username, &b->username) && secbuf_is_equal(&a->secret, &b->secret);
}

static bool ends_in_line_end(const struct secbuf *secret)
{
    return secret->size > 0 && memchr("\r\n", secret->data[secret->size - 1], 2);
}

/* Errors of this login alone: a name that is too long, a username that cannot be a file name. */
static bool is_its_own_fault(int r)
{
    return r == -ENAMETOOLONG || r == -EINVAL || r == -EISDIR || r == -ENOTDIR;
}

static int store_and_compare(const char *helper, const char *server, struct credential *login,
                             enum setup_import_result *ret, struct error *err)
{
    CLEANUP(credential_done) struct credential before = {0}, after = {0};
    int r = ask_store(server, &before, err);

    if (r == VAULT_NOT_FOUND)
        r = vault_put(login, err);
    else if (r == 0 && !is_same(login, &before))
        return error_set(
            err, EEXIST,
            "the store has another login for %s than docker-credential-%s; erase one of them "
            "(printf %%s %s | docker-credential-pass erase) and run this again",
            server, helper, server);
    if (is_its_own_fault(r)) {
        *ret = SETUP_IMPORT_STAYS;
        return 0;
    }
    if (r == 0)
        r = ask_store(server, &after, err);
    if (r == VAULT_NOT_FOUND || (r == 0 && !is_same(login, &after)))
        return error_set(err, EIO, "the login for %s was stored, but the store does not return it",
                         server);
    if (r == 0)
        *ret = SETUP_IMPORT_DONE;
    return r;
}

static int import_one(const char *helper, const char *server, enum setup_import_result *ret,
                      struct error *err)
{
    CLEANUP(credential_done) struct credential login = {0};
    int r;

    if (secbuf_append(&login.server_url, server, strlen(server)) < 0)
        return error_set_oom(err);
    r = other_helper_get(helper, &login, err);
    if (r == OTHER_HELPER_NOT_FOUND) {
        *ret = SETUP_IMPORT_EMPTY;
        return 0;
    }
    if (r < 0)
        return r;
    if (ends_in_line_end(&login.secret)) {
        *ret = SETUP_IMPORT_STAYS;
        return 0;
    }
    return store_and_compare(helper, server, &login, ret, err);
}

int setup_import_store(struct setup_import *import, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < import->servers.count; i++)
        r = import_one(import->helper, import->servers.names[i], &import->results[i], err);
    return r;
}

const char *setup_import_find_host(const struct client_config *config, const char *helper)
{
    const char *host;

    for (size_t i = 0; (host = client_config_get_helper_host(config, i)); i++) {
        const char *named = client_config_get_helper(config, host);

        if (named && strcmp(named, helper) == 0)
            return host;
    }
    return NULL;
}

int setup_import_switch(const struct setup_import *import, struct client_config *config,
                        struct error *err)
{
    const char *host;
    int r = 0;

    while (r == 0 && (host = setup_import_find_host(config, import->helper))) {
        CLEANUP_FREE char *copy = strdup(host); /* host is valid until the next change only */

        r = copy ? client_config_set_helper(config, copy, STORE, err) : error_set_oom(err);
    }
    for (size_t i = 0; r == 0 && i < import->servers.count; i++)
        if (import->results[i] == SETUP_IMPORT_STAYS)
            r = client_config_set_helper(config, import->servers.names[i], import->helper, err);
    return r;
}

int setup_import_erase(const struct setup_import *import, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < import->servers.count; i++)
        if (import->results[i] == SETUP_IMPORT_DONE)
            r = other_helper_erase(import->helper, import->servers.names[i], err);
    return r;
}

static void tell_one(const struct setup_import *import, size_t i)
{
    const char *server = import->servers.names[i], *helper = import->helper;

    switch (import->results[i]) {
    case SETUP_IMPORT_PLANNED:
        terminal_say(stdout, TERMINAL_WOULD, "import the login for %s from docker-credential-%s",
                     server, helper);
        break;
    case SETUP_IMPORT_DONE:
        terminal_say(stdout, TERMINAL_DONE, "the login for %s is in the store", server);
        break;
    case SETUP_IMPORT_EMPTY:
        terminal_say(stdout, TERMINAL_WARNING,
                     "docker-credential-%s lists %s, but has no login for it", helper, server);
        break;
    case SETUP_IMPORT_STAYS:
        terminal_say(
            stdout, TERMINAL_WARNING,
            "the login for %s stays with docker-credential-%s, which docker still asks for it: the "
            "store cannot keep its server, username or a line end after the password",
            server, helper);
        break;
    }
}

void setup_import_tell(const struct setup_import *import)
{
    for (size_t i = 0; i < import->servers.count; i++)
        tell_one(import, i);
    if (import->helper && import->servers.count == 0)
        terminal_say(stdout, TERMINAL_OK, "docker-credential-%s has no logins to import",
                     import->helper);
}
