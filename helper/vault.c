/*
 * The order in which a credential is stored and found, from the layers below.
 */
#include "helper/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "gpg/decrypt.h"
#include "gpg/encrypt.h"
#include "gpg/fast-decrypt.h"
#include "helper/input.h"
#include "helper/pass/entry.h"
#include "helper/pass/git.h"
#include "helper/pass/insert.h"
#include "helper/pass/recipients.h"
#include "helper/pass/remove.h"

/* A request has at most INPUT_MAX bytes, and each byte of invalid UTF-8 becomes three. */
#define SECRET_MAX (4 * INPUT_MAX)

/* --- gpg as the user wants it ---------------------------------------------------------------- */

static int read_options(enum gpg_pinentry_mode mode, struct gpg_options *ret, struct error *err)
{
    int r = gpg_options_parse(getenv("PASSWORD_STORE_GPG_OPTS"), ret, err);

    if (r == 0 && mode != GPG_PINENTRY_DEFAULT)
        ret->pinentry_mode = mode;
    return r;
}

static int start_gpg(struct gpg_context **ret, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    int r = read_options(GPG_PINENTRY_DEFAULT, &options, err);

    return r < 0 ? r : gpg_context_new(&options, ret, err);
}

int vault_encrypt(const struct pass_store *store, const struct pass_path *path,
                  struct secbuf *plain, struct secbuf *ret_message, struct error *err)
{
    CLEANUP(pass_recipients_done) struct pass_recipients recipients = {0};
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = NULL;
    int r = start_gpg(&gpg, err);

    if (r == 0)
        r = pass_recipients_find(store, gpg, path, &recipients, err);
    return r < 0 ? r : gpg_encrypt(gpg, recipients.ids, recipients.source, plain, ret_message, err);
}

/* --- put ------------------------------------------------------------------------------------- */

static int make_path(const struct credential *credential, struct pass_path *ret, struct error *err)
{
    const struct secbuf *url = &credential->server_url, *username = &credential->username;
    int r;

    if (pass_path_set_url(ret, url->data, url->size) < 0)
        return error_set(err, ENAMETOOLONG,
                         "the server URL is too long: %zu bytes, and the store takes %d", url->size,
                         PASS_URL_MAX);
    r = pass_path_set_username(ret, username->data, username->size);
    if (r == -ENAMETOOLONG)
        return error_set(err, ENAMETOOLONG,
                         "the username is too long: %zu bytes, and the store takes %d after the "
                         "last slash, %d in all, and %d slashes",
                         username->size, PASS_USERNAME_PART_MAX, PASS_USERNAME_MAX,
                         PASS_USERNAME_SLASHES_MAX);
    if (r < 0)
        return error_set(
            err, EINVAL,
            "the username cannot be a file name in the password store: no NUL byte, and "
            "between slashes nothing empty, \".\", \"..\" or \".git\"");
    return 0;
}

/*
 * The password store is up to date and the login or logout has succeeded, so a failure of git is
 * only a warning.
 */
static void record_changes(const struct pass_store *store, const struct pass_changes *changes)
{
    struct error err;

    if (pass_git_record(store, changes, &err) != 0)
        fprintf(stderr, "docker-credential-pass: warning: %s\n", err.text);
}

static int write_entry(struct pass_store *store, const struct pass_path *path,
                       const struct secbuf *message, struct error *err)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    int r = pass_store_lock(store, err);

    if (r == 0)
        r = pass_insert(store, path, message, &changes, err);
    if (r == 0)
        record_changes(store, &changes);
    return r;
}

int vault_put(struct credential *credential, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(secbuf_done) struct secbuf message = {0};
    struct pass_path path;
    int r = make_path(credential, &path, err);

    if (r == 0)
        r = pass_store_open(&store, err);
    if (r == 0)
        r = vault_encrypt(&store, &path, &credential->secret, &message, err);
    if (r == 0)
        r = write_entry(&store, &path, &message, err);
    return r;
}

/* --- get ------------------------------------------------------------------------------------- */

int vault_decrypt(enum gpg_pinentry_mode mode, int fd, const char *name, struct secbuf *ret_plain,
                  struct error *why_by_gpg, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = NULL;
    int r = read_options(mode, &options, err);

    if (r == 0)
        r = gpg_fast_decrypt(&options, fd, name, SECRET_MAX, ret_plain, err);
    if (r != GPG_FAST_DECLINED)
        return r;
    if (why_by_gpg)
        *why_by_gpg = *err;
    r = gpg_context_new(&options, &gpg, err);
    return r < 0 ? r : gpg_decrypt(gpg, fd, name, SECRET_MAX, ret_plain, err);
}

static int decrypt_entry(const struct pass_store *store, const struct pass_path *path,
                         const struct pass_entry *entry, struct secbuf *ret_secret,
                         struct error *err)
{
    CLEANUP_FREE char *name = NULL;

    if (asprintf(&name, "%s/" PASS_DIRECTORY "/%s/%s", store->root, path->directory, entry->file) <
        0)
        return error_set_oom(err);
    return vault_decrypt(GPG_PINENTRY_DEFAULT, entry->fd, name, ret_secret, NULL, err);
}

/* An editor or `pass insert` ends the secret with a newline that is no part of it. */
static void trim_line_ends(struct secbuf *secret)
{
    size_t size = secret->size;

    while (size > 0 && (secret->data[size - 1] == '\n' || secret->data[size - 1] == '\r'))
        size--;
    secbuf_truncate(secret, size);
}

int vault_get(struct credential *credential, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_entry_done) struct pass_entry entry = {.fd = -1};
    const struct secbuf *url = &credential->server_url;
    struct pass_path path;
    int r = pass_store_open(&store, err);

    if (r < 0)
        return r;
    /* too long: it cannot have been stored */
    if (pass_path_set_url(&path, url->data, url->size) < 0)
        return VAULT_NOT_FOUND;
    r = pass_entry_open(&store, &path, &entry, err);
    if (r != 0)
        return r == PASS_NOT_FOUND ? VAULT_NOT_FOUND : r;
    r = decrypt_entry(&store, &path, &entry, &credential->secret, err);
    if (r < 0)
        return r;
    trim_line_ends(&credential->secret);
    return secbuf_append(&credential->username, entry.file, entry.username_size) < 0
               ? error_set_oom(err)
               : 0;
}

/* --- erase and list -------------------------------------------------------------------------- */

static int erase_server(struct pass_store *store, const struct pass_path *path, struct error *err)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    int r = pass_store_lock(store, err);

    if (r == 0)
        r = pass_store_open_directory(store, false, err);
    if (r == 0)
        r = pass_remove_server(store, path, &changes, err);
    if (r == 0)
        record_changes(store, &changes);
    return r;
}

int vault_erase(const struct secbuf *server_url, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    struct pass_path path;
    int r = pass_store_open(&store, err);

    if (r < 0)
        return r;
    if (pass_path_set_url(&path, server_url->data, server_url->size) < 0 || store.directory_fd < 0)
        return 0;
    if (faccessat(store.directory_fd, path.directory, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return erase_server(&store, &path, err);
    if (errno == ENOENT)
        return 0;
    return error_set_errno(err, errno, "cannot look into %s/" PASS_DIRECTORY, store.root);
}

int vault_list(struct pass_listing *ret, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    int r = pass_store_open(&store, err);

    return r < 0 ? r : pass_entry_list(&store, ret, err);
}
