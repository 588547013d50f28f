/*
 * What `pass init` does, without git: setup does not commit.
 */
#include "helper/setup/store-init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "gpg/keys.h"
#include "helper/pass/entry.h"
#include "helper/pass/recipients.h"
#include "helper/proof.h"

static bool has_file(int fd, const char *name)
{
    struct stat st;

    return fd >= 0 && fstatat(fd, name, &st, 0) == 0;
}

static int refuse_entries(const struct pass_store *store, struct error *err)
{
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    int r = pass_entry_list(store, &listing, err);

    if (r < 0)
        return r;
    if (listing.count > 0)
        return error_set(
            err, EEXIST,
            "%s/" PASS_DIRECTORY " holds %zu %s encrypted to another key; have pass encrypt "
            "them again: pass init -p " PASS_DIRECTORY " FINGERPRINT",
            store->root, listing.count, listing.count == 1 ? "entry that is" : "entries that are");
    return SETUP_NO_STORE;
}

/*
 * For a store that has lost its .gpg-id. Its entries stay as they are. If they can be decrypted
 * here, or need only a passphrase, every login is as usable as before. Otherwise their key is
 * elsewhere, and a .gpg-id with another key would hide that.
 */
static int check_entries(struct pass_store *store, struct error *err)
{
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    int r = pass_entry_list(store, &listing, err);

    for (size_t i = 0; r == 0 && i < listing.count; i++) {
        struct proof_step step = {0};
        struct pass_path path;

        if (pass_path_set_url(&path, listing.items[i].url, listing.items[i].url_size) < 0)
            continue;
        path.file[0] = '\0';
        proof_read_entry(store, &path, GPG_PINENTRY_ERROR, &step);
        if (step.result == PROOF_FAILED)
            return error_set(
                err, EEXIST,
                "%s has no .gpg-id, and an entry in it cannot be decrypted, so its key may be "
                "elsewhere; if it is lost, remove the entry first: %s",
                store->root, step.err.text);
    }
    return r < 0 ? r : SETUP_NO_STORE;
}

static int find_in_subdirectory(const struct pass_store *store, char **ret_source,
                                struct error *err)
{
    if (!has_file(store->directory_fd, ".gpg-id"))
        return refuse_entries(store, err);
    *ret_source = setup_store_path(store, true);
    return *ret_source ? 0 : error_set_oom(err);
}

/*
 * Any of these files means that the store is in use; an age store, for example, must not be
 * touched.
 */
static bool is_uninitialised(const struct pass_store *store)
{
    const char *key = getenv("PASSWORD_STORE_KEY");

    return !(key && *key) && !has_file(store->root_fd, ".gpg-id") &&
           !has_file(store->root_fd, ".age-recipients") &&
           !has_file(store->directory_fd, ".gpg-id");
}

int setup_store_find(struct pass_store *store, struct gpg_context *gpg, bool is_subfolder,
                     char **ret_source, struct error *err)
{
    CLEANUP(pass_recipients_done) struct pass_recipients recipients = {0};
    const struct pass_path path = {.directory = "", .file = ""};
    const char *signer = getenv("PASSWORD_STORE_SIGNING_KEY");
    int r;

    if (is_subfolder && has_file(store->root_fd, ".gpg-id"))
        r = find_in_subdirectory(store, ret_source, err);
    else if (is_uninitialised(store))
        r = check_entries(store, err);
    else
        r = pass_recipients_find(store, gpg, &path, &recipients, err);
    if (r == SETUP_NO_STORE && signer && *signer)
        return error_set(err, ENOTSUP,
                         "PASSWORD_STORE_SIGNING_KEY is set, but setup does not sign; create the "
                         "store with pass init");
    if (r == 0 && !*ret_source)
        *ret_source = steal_ptr(&recipients.source);
    return r;
}

char *setup_store_path(const struct pass_store *store, bool is_subfolder)
{
    char *path = NULL;

    return asprintf(&path, "%s%s/.gpg-id", store->root, is_subfolder ? "/" PASS_DIRECTORY : "") < 0
               ? NULL
               : path;
}

/*
 * We hold the lock, so a temporary file of this name was left by an earlier run that was killed.
 */
static int write_file(const struct pass_store *store, int directory_fd, const char *text)
{
    int r;

    unlinkat(directory_fd, store->temporary, 0);
    r = file_write_temporary(directory_fd, store->temporary, FILE_MODE_DEFAULT, text, strlen(text));
    if (r == 0 && renameat(directory_fd, store->temporary, directory_fd, ".gpg-id") < 0)
        r = -errno;
    return r < 0 ? r : file_sync_directory(directory_fd);
}

int setup_store_init(struct pass_store *store, bool is_subfolder, const char *fingerprint,
                     struct error *err)
{
    char text[GPG_FINGERPRINT_SIZE + 1];
    int r = pass_store_lock(store, err);

    if (r == 0 && is_subfolder)
        r = pass_store_open_directory(store, true, err);
    if (r < 0)
        return r;
    snprintf(text, sizeof(text), "%s\n", fingerprint);
    r = write_file(store, is_subfolder ? store->directory_fd : store->root_fd, text);
    return r < 0 ? error_set_errno(err, -r, "cannot write the store's .gpg-id in %s", store->root)
                 : 0;
}
