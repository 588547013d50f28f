/*
 * Which keys an entry is encrypted to. If that is unknown, nothing may be written: gpg itself would
 * ask on the terminal, or use a default key that nobody chose.
 */
#include "helper/pass/recipients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "gpg/verify.h"
#include "helper/pass/gpg-id.h"

/* The content of a file, read once, so that the verified bytes are the ones that are used. */
struct content {
    char *text;
    size_t size;
    struct stat stat;
};

static void content_done(struct content *content)
{
    free(content->text);
}

static int read_content(int root_fd, const char *file, struct content *ret)
{
    CLEANUP_CLOSE int fd = file_open_regular(root_fd, file, &ret->stat);

    return fd < 0 ? fd : file_read_all(fd, GPG_ID_MAX, &ret->text, &ret->size);
}

/*
 * Looks for a regular file. -errno if that fails: then the keys of a directory further up must not
 * be used.
 */
static int check_regular(int root_fd, const char *file, bool *ret_exists)
{
    struct stat st;

    *ret_exists = false;
    if (fstatat(root_fd, file, &st, 0) == 0)
        *ret_exists = S_ISREG(st.st_mode);
    else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENAMETOOLONG)
        return -errno;
    return 0;
}

/*
 * Finds the nearest .gpg-id. 0 with *ret_file owned by the caller, and NULL if there is none; or
 * -errno.
 */
static int find_gpg_id(int root_fd, const struct pass_path *path, char **ret_file)
{
    CLEANUP_FREE char *place = NULL;
    bool exists = false;
    int r = 0;

    *ret_file = NULL;
    if (asprintf(&place, PASS_DIRECTORY "/%s/%s", path->directory, path->file) < 0)
        return -ENOMEM;
    for (char *slash = strrchr(place, '/'); slash && r == 0 && !exists;
         slash = strrchr(place, '/')) {
        CLEANUP_FREE char *file = NULL;

        *slash = '\0';
        if (asprintf(&file, "%s/.gpg-id", place) < 0)
            return -ENOMEM;
        r = check_regular(root_fd, file, &exists);
        if (exists)
            *ret_file = steal_ptr(&file);
    }
    if (r < 0 || exists)
        return r;
    r = check_regular(root_fd, ".gpg-id", &exists);
    if (exists)
        *ret_file = strdup(".gpg-id");
    return exists && !*ret_file ? -ENOMEM : r;
}

static int explain_missing(const struct pass_store *store, struct error *err)
{
    if (store->root_fd < 0)
        return error_set(
            err, ENOENT,
            "there is no password store at %s yet; generate a key (gpg --quick-generate-key NAME) "
            "and create a store for it (pass init FINGERPRINT)",
            store->root);
    if (faccessat(store->root_fd, ".age-recipients", F_OK, 0) == 0)
        return error_set(
            err, ENOTSUP,
            "%s is a gopass store with age encryption, which is not supported; use one with "
            "gpg (set PASSWORD_STORE_DIR)",
            store->root);
    return error_set(
        err, ENOENT,
        "the password store %s has no .gpg-id file, which names the key to encrypt to; "
        "run pass init FINGERPRINT (gpg -K shows your keys)",
        store->root);
}

static int check_signature(const struct pass_store *store, struct gpg_context *gpg,
                           const char *file, const struct content *content, const char *source,
                           struct error *err)
{
    const char *fingerprints = getenv("PASSWORD_STORE_SIGNING_KEY");
    CLEANUP(content_done) struct content signature = {0};
    CLEANUP_FREE char *signature_file = NULL;
    int r;

    if (!fingerprints || !*fingerprints)
        return 0;
    if (asprintf(&signature_file, "%s.sig", file) < 0)
        return error_set_oom(err);
    r = read_content(store->root_fd, signature_file, &signature);
    if (r < 0)
        return error_set_errno(
            err, -r,
            "PASSWORD_STORE_SIGNING_KEY wants %s signed, and its signature %s.sig cannot be "
            "read (pass init signs it again)",
            source, source);
    return gpg_verify(gpg, content->text, content->size, signature.text, signature.size,
                      fingerprints, source, err);
}

/*
 * Whether every user may replace a file in that directory. In a sticky directory such as /tmp
 * everybody may create files, but only replace their own, so the file's owner decides.
 */
static bool is_open_to_all(const struct stat *directory, const struct stat *file)
{
    if (!(directory->st_mode & S_IWOTH))
        return false;
    return !(directory->st_mode & S_ISVTX) || (file->st_uid != geteuid() && file->st_uid != 0);
}

/*
 * A user who may change the file, or a directory above it, decides who can read the next password.
 * A file that everybody may change is refused unless it has a valid signature.
 */
static int check_writers(const struct pass_store *store, const char *file,
                         const struct content *content, const char *source, struct error *err)
{
    const char *signers = getenv("PASSWORD_STORE_SIGNING_KEY");
    CLEANUP_FREE char *place = strdup(file);
    bool is_open = content->stat.st_mode & S_IWOTH;
    struct stat st;

    if (!place)
        return error_set_oom(err);
    for (char *slash = strrchr(place, '/'); slash && !is_open; slash = strrchr(place, '/')) {
        *slash = '\0';
        is_open = fstatat(store->root_fd, place, &st, 0) < 0 || is_open_to_all(&st, &content->stat);
    }
    is_open = is_open || fstat(store->root_fd, &st) < 0 || is_open_to_all(&st, &content->stat);
    if (!is_open || (signers && *signers))
        return 0;
    return error_set(
        err, EPERM,
        "%s, or a directory above it, may be changed by every user of this machine, so the keys "
        "in it may be anybody's; look at it, then: chmod -R o-w %s",
        source, store->root);
}

static int read_gpg_id(const struct pass_store *store, struct gpg_context *gpg, const char *file,
                       struct pass_recipients *ret, struct error *err)
{
    CLEANUP(content_done) struct content content = {0};
    int r;

    if (asprintf(&ret->source, "%s/%s", store->root, file) < 0)
        return error_set_oom(err);
    r = read_content(store->root_fd, file, &content);
    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s", ret->source);
    r = check_writers(store, file, &content, ret->source, err);
    if (r == 0)
        r = check_signature(store, gpg, file, &content, ret->source, err);
    if (r < 0)
        return r;
    r = gpg_id_parse(content.text, content.size, &ret->ids);
    if (r == -EINVAL)
        return error_set(err, EINVAL, "%s is not a .gpg-id file: it has a NUL byte", ret->source);
    if (r < 0)
        return error_set_oom(err);
    if (!*ret->ids)
        return error_set(err, EINVAL,
                         "%s is empty: it names no key to encrypt to; run pass init FINGERPRINT "
                         "(gpg -K shows your keys)",
                         ret->source);
    return 0;
}

static int find(const struct pass_store *store, struct gpg_context *gpg,
                const struct pass_path *path, struct pass_recipients *ret, struct error *err)
{
    const char *key = getenv("PASSWORD_STORE_KEY");
    CLEANUP_FREE char *file = NULL;
    int r = 0;

    if (key && *key) {
        ret->source = strdup("PASSWORD_STORE_KEY");
        if (!ret->source || gpg_id_parse_words(key, &ret->ids) < 0)
            return error_set_oom(err);
        return *ret->ids ? 0
                         : error_set(err, EINVAL, "PASSWORD_STORE_KEY names no key: it is blank");
    }
    if (store->root_fd >= 0)
        r = find_gpg_id(store->root_fd, path, &file);
    if (r < 0)
        return error_set_errno(err, -r, "cannot look for a .gpg-id file in %s", store->root);
    return file ? read_gpg_id(store, gpg, file, ret, err) : explain_missing(store, err);
}

int pass_recipients_find(const struct pass_store *store, struct gpg_context *gpg,
                         const struct pass_path *path, struct pass_recipients *ret,
                         struct error *err)
{
    CLEANUP(pass_recipients_done) struct pass_recipients recipients = {0};
    int r = find(store, gpg, path, &recipients, err);

    if (r < 0)
        return r;
    *ret = recipients;
    recipients = (struct pass_recipients){0};
    return 0;
}

void pass_recipients_done(struct pass_recipients *recipients)
{
    free(recipients->ids);
    free(recipients->source);
    *recipients = (struct pass_recipients){0};
}
