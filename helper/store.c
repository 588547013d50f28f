/*
 * store: a credential on stdin becomes an encrypted entry. Everything that can go wrong goes
 * wrong before the store is touched: the request is read and checked, the keys found, the
 * message encrypted in memory; only then is the lock taken and the file written.
 */
#include <errno.h>
#include <stdio.h>

#include "gpg/encrypt.h"
#include "helper/credential.h"
#include "helper/input.h"
#include "helper/pass/git.h"
#include "helper/pass/insert.h"
#include "helper/pass/recipients.h"
#include "helper/protocol.h"

static int read_credential(struct credential *ret, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf request = {0};
    int r = input_read(STDIN_FILENO, &request, err);

    return r < 0 ? r : credential_parse(request.data, request.size, ret, err);
}

static int make_path(const struct credential *credential, struct pass_path *ret, struct error *err)
{
    const struct secbuf *url = &credential->server_url, *username = &credential->username;
    int r;

    if (pass_path_set_url(ret, url->data, url->size) < 0)
        return error_set(err, ENAMETOOLONG, "the server URL is too long: %zu bytes, and the store takes %d", url->size,
                         PASS_URL_MAX);
    r = pass_path_set_username(ret, username->data, username->size);
    if (r == -ENAMETOOLONG)
        return error_set(err, ENAMETOOLONG, "the username is too long: %zu bytes, and the store takes %d after the "
                         "last slash, %d in all, and %d slashes", username->size, PASS_USERNAME_PART_MAX,
                         PASS_USERNAME_MAX, PASS_USERNAME_SLASHES_MAX);
    if (r < 0)
        return error_set(err, EINVAL, "the username cannot be a file name in the password store: no NUL byte, and "
                         "between slashes nothing empty, \".\", \"..\" or \".git\"");
    return 0;
}

static int encrypt_secret(const struct pass_store *store, const struct pass_path *path, struct credential *credential,
                          struct secbuf *ret_message, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = NULL;
    CLEANUP(pass_recipients_done) struct pass_recipients recipients = {0};
    int r = gpg_options_parse(getenv("PASSWORD_STORE_GPG_OPTS"), &options, err);

    if (r == 0)
        r = gpg_context_new(&options, &gpg, err);
    if (r == 0)
        r = pass_recipients_find(store, gpg, path, &recipients, err);
    if (r == 0)
        r = gpg_encrypt(gpg, recipients.ids, recipients.source, &credential->secret, ret_message, err);
    return r;
}

static int write_entry(struct pass_store *store, const struct pass_path *path, const struct secbuf *message,
                       struct error *err)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error git_err;
    int r = pass_store_lock(store, err);

    if (r == 0)
        r = pass_insert(store, path, message, &changes, err);
    /* The credential is safe and the login has succeeded: git's trouble is a warning. */
    if (r == 0 && pass_git_record(store, &changes, &git_err) < 0)
        fprintf(stderr, "docker-credential-pass: warning: %s\n", git_err.text);
    return r;
}

int verb_store(struct secbuf *ret_answer, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(credential_done) struct credential credential = {0};
    CLEANUP(secbuf_done) struct secbuf message = {0};
    struct pass_path path;
    int r = read_credential(&credential, err);

    (void)ret_answer; /* success is silence */
    if (r == 0)
        r = make_path(&credential, &path, err);
    if (r == 0)
        r = pass_store_open(&store, err);
    if (r == 0)
        r = encrypt_secret(&store, &path, &credential, &message, err);
    if (r == 0)
        r = write_entry(&store, &path, &message, err);
    return r;
}
