/*
 * get: a server URL on stdin, its credential on stdout. That there is none is found out before
 * anything of gpg is started, since docker asks for many servers it has no login for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gpg/decrypt.h"
#include "helper/credential.h"
#include "helper/input.h"
#include "helper/pass/entry.h"
#include "helper/protocol.h"

/* A request has at most INPUT_MAX bytes, of which each that is no UTF-8 becomes three. */
#define SECRET_MAX (4 * INPUT_MAX)

static int open_entry(const struct pass_store *store, const struct secbuf *url, struct pass_path *path,
                      struct pass_entry *ret, struct error *err)
{
    int r = PASS_NOT_FOUND;

    if (pass_path_set_url(path, url->data, url->size) == 0) /* too long: it cannot have been stored */
        r = pass_entry_open(store, path, ret, err);
    return r == PASS_NOT_FOUND ? error_set(err, ENOENT, PROTOCOL_NOT_FOUND) : r;
}

static int decrypt_entry(const struct pass_store *store, const struct pass_path *path, const struct pass_entry *entry,
                         struct secbuf *ret_secret, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = NULL;
    CLEANUP_FREE char *name = NULL;
    int r;

    if (asprintf(&name, "%s/" PASS_FOLDER "/%s/%s", store->root, path->folder, entry->file) < 0)
        return error_set_oom(err);
    r = gpg_options_parse(getenv("PASSWORD_STORE_GPG_OPTS"), &options, err);
    if (r == 0)
        r = gpg_context_new(&options, &gpg, err);
    if (r == 0)
        r = gpg_decrypt(gpg, entry->fd, name, SECRET_MAX, ret_secret, err);
    return r;
}

/* An editor or `pass insert` ends the secret with a newline that is no part of it. */
static void trim_line_ends(struct secbuf *secret)
{
    size_t size = secret->size;

    while (size > 0 && (secret->data[size - 1] == '\n' || secret->data[size - 1] == '\r'))
        size--;
    secbuf_truncate(secret, size);
}

static int answer(struct pass_store *store, struct credential *credential, struct error *err)
{
    CLEANUP(pass_entry_done) struct pass_entry entry = {.fd = -1};
    struct pass_path path;
    int r = open_entry(store, &credential->server_url, &path, &entry, err);

    if (r == 0)
        r = decrypt_entry(store, &path, &entry, &credential->secret, err);
    if (r < 0)
        return r;
    trim_line_ends(&credential->secret);
    return secbuf_append(&credential->username, entry.file, entry.username_size) < 0 ? error_set_oom(err) : 0;
}

int verb_get(struct secbuf *ret_answer, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(credential_done) struct credential credential = {0};
    int r = input_read_url(STDIN_FILENO, &credential.server_url, err);

    if (r == 0)
        r = pass_store_open(&store, err);
    if (r == 0)
        r = answer(&store, &credential, err);
    if (r == 0 && credential_format(&credential, ret_answer) < 0)
        r = error_set_oom(err);
    return r;
}
