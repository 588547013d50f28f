/*
 * Each step does one part of a login and leaves nothing behind.
 */
#include "helper/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/random.h"
#include "gpg/encrypt.h"
#include "gpg/failure.h"
#include "helper/pass/entry.h"
#include "helper/vault.h"

/* Docker's next entry is below docker-credential-helpers. Every server has the same recipients. */
static const struct pass_path next_entry = {.directory = "", .file = ""};

static void finish(struct proof_step *step, int r)
{
    bool is_locked = step->err.code == GPG_FAILURE_LOCKED || step->err.code == GPG_FAILURE_REMOTE;

    step->result = r == 0 ? PROOF_PASSED : is_locked ? PROOF_LOCKED : PROOF_FAILED;
}

/* --- encrypt and decrypt --------------------------------------------------------------------- */

static int make_text(struct secbuf *ret, struct error *err)
{
    char random[RANDOM_UUID_SIZE];

    random_uuid(random);
    return secbuf_append(ret, random, strlen(random)) < 0 ? error_set_oom(err) : 0;
}

static int encrypt_text(struct secbuf *plain, struct secbuf *ret_message, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    int r = pass_store_open(&store, err);

    return r < 0 ? r : vault_encrypt(&store, &next_entry, plain, ret_message, err);
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The message is in an unnamed file, because messages are read from files. */
static int decrypt_message(enum gpg_pinentry_mode mode, const struct secbuf *message,
                           struct secbuf *ret_plain, struct proof *proof, struct error *err)
{
    CLEANUP_CLOSE int fd = memfd_create("message", MFD_CLOEXEC);
    uint64_t begin = now_us();
    int r = fd < 0 ? -errno : file_write_all(fd, message->data, message->size);

    if (r < 0)
        return error_set_errno(err, -r, "cannot make a file in memory");
    r = vault_decrypt(mode, fd, "a message that was just encrypted", ret_plain, &proof->why_by_gpg,
                      err);
    if (r == 0)
        proof->decrypt_us = now_us() - begin;
    return r;
}

static void prove_gpg(enum gpg_pinentry_mode mode, struct proof *ret)
{
    CLEANUP(secbuf_done) struct secbuf plain = {0}, message = {0}, again = {0};
    struct error *err = &ret->decrypt.err;
    int r = make_text(&plain, &ret->encrypt.err);

    if (r == 0)
        r = encrypt_text(&plain, &message, &ret->encrypt.err);
    finish(&ret->encrypt, r);
    if (r < 0) {
        error_set(err, ENODATA, "nothing could be encrypted, so there is nothing to decrypt");
        return;
    }
    r = decrypt_message(mode, &message, &again, ret, err);
    if (r == 0 && (again.size != plain.size || memcmp(again.data, plain.data, plain.size) != 0))
        r = error_set(err, EPROTO, "gpg does not decrypt to the text that was encrypted");
    finish(&ret->decrypt, r);
}

int proof_try_key(struct gpg_context *gpg, const char *fingerprint, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf plain = {0}, message = {0}, again = {0};
    CLEANUP_FREE char *recipient = NULL;
    struct proof unused = {0};
    int r = make_text(&plain, err);

    if (r == 0 && asprintf(&recipient, "%s\n", fingerprint) < 0)
        r = error_set_oom(err);
    if (r == 0)
        r = gpg_encrypt(gpg, recipient, "--key", &plain, &message, err);
    if (r == 0)
        r = decrypt_message(GPG_PINENTRY_DEFAULT, &message, &again, &unused, err);
    return r;
}

/* --- an entry -------------------------------------------------------------------------------- */

void proof_read_entry(struct pass_store *store, const struct pass_path *path,
                      enum gpg_pinentry_mode mode, struct proof_step *ret)
{
    CLEANUP(pass_entry_done) struct pass_entry entry = {.fd = -1};
    CLEANUP(secbuf_done) struct secbuf secret = {0};
    CLEANUP_FREE char *name = NULL;
    int r = pass_entry_open(store, path, &entry, &ret->err);

    if (r == PASS_NOT_FOUND) {
        error_set(&ret->err, ENOENT, "the server has no entry");
        ret->result = PROOF_NOT_TRIED;
        return;
    }
    if (r == 0 && asprintf(&name, "%s/" PASS_DIRECTORY "/%s/%s", store->root, path->directory,
                           entry.file) < 0)
        r = error_set_oom(&ret->err);
    if (r == 0)
        r = vault_decrypt(mode, entry.fd, name, &secret, NULL, &ret->err);
    finish(ret, r);
}

/* --- write ----------------------------------------------------------------------------------- */

enum { ENTRY_SIZE = 4096 }; /* larger than most entries, to detect a full disk */

/*
 * Opens the nearest existing directory of the store on the way to the entry. Returns its fd, or
 * negative. *ret_missing is the number of directories that a login would have to create.
 */
static int open_directory(const struct pass_store *store, const struct pass_path *path,
                          char **ret_name, size_t *ret_missing, struct error *err)
{
    int fd = -ENOENT;

    *ret_missing = 0;
    if (store->directory_fd >= 0 && *path->directory) {
        if (asprintf(ret_name, "%s/" PASS_DIRECTORY "/%s", store->root, path->directory) < 0)
            return error_set_oom(err);
        fd = file_open_real_directory(store->directory_fd, path->directory);
        if (fd == -ENOENT)
            free(steal_ptr(ret_name));
    }
    if (!*ret_name && asprintf(ret_name, "%s%s", store->root,
                               store->directory_fd >= 0 ? "/" PASS_DIRECTORY : "") < 0)
        return error_set_oom(err);
    if (fd == -ENOENT)
        *ret_missing = store->directory_fd >= 0 ? 1 : 2;
    if (fd == -ENOENT)
        fd = file_open_directory(store->directory_fd >= 0 ? store->directory_fd : store->root_fd,
                                 ".");
    return fd < 0 ? error_set_errno(err, -fd, "cannot open %s", *ret_name) : fd;
}

/*
 * A file, and as many directories as a login would create: each takes an inode, and there may be
 * too few. All are removed.
 */
static int create_and_remove(struct pass_store *store, int fd, size_t directories)
{
    static const char bytes[ENTRY_SIZE];
    char names[3][sizeof(store->temporary)];
    size_t made = 0;
    int r = 0;

    while (r == 0 && made <= directories && made < ARRAY_SIZE(names)) {
        pass_store_name_temporary(store, true);
        memcpy(names[made], store->temporary, sizeof(names[made]));
        if (made == 0)
            r = file_write_temporary(fd, names[made], FILE_MODE_DEFAULT, bytes, sizeof(bytes));
        else if (mkdirat(fd, names[made], 0700) < 0)
            r = -errno;
        made += r == 0;
    }
    while (made-- > 0)
        if (unlinkat(fd, names[made], made > 0 ? AT_REMOVEDIR : 0) < 0 && r == 0)
            r = -errno;
    return r;
}

static int try_directory(struct pass_store *store, const struct pass_path *path, struct error *err)
{
    CLEANUP_FREE char *name = NULL;
    size_t missing;
    CLEANUP_CLOSE int fd = open_directory(store, path, &name, &missing, err);
    int r;

    if (fd < 0)
        return fd;
    if (file_is_append_only(fd)) /* the trial file or directory could not be removed */
        return error_set(
            err, EPERM,
            "%s is append-only or immutable (lsattr -d shows it), so no file in it can be replaced",
            name);
    r = create_and_remove(store, fd, missing);
    return r < 0 ? error_set_errno(err, -r, "cannot create files in %s as a login does", name) : 0;
}

void proof_write(const struct pass_path *path, struct proof_step *ret)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    int r = pass_store_open(&store, &ret->err);

    if (r == 0 && store.root_fd < 0) {
        error_set(&ret->err, ENOENT, "there is no password store at %s", store.root);
        ret->result = PROOF_NOT_TRIED;
        return;
    }
    if (r == 0)
        r = pass_store_lock(&store, &ret->err);
    if (r == 0)
        r = try_directory(&store, path, &ret->err);
    finish(ret, r);
}

/* --- all ------------------------------------------------------------------------------------- */

void proof_run(enum gpg_pinentry_mode mode, struct proof *ret)
{
    *ret = (struct proof){0};
    prove_gpg(mode, ret);
    proof_write(&next_entry, &ret->write);
}

int proof_check(const struct proof *proof, struct error *err)
{
    const struct proof_step *const steps[] = {&proof->encrypt, &proof->decrypt, &proof->write};

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        if (steps[i]->result == PROOF_FAILED)
            return error_set(err, steps[i]->err.code, "%s", steps[i]->err.text);
    return 0;
}
