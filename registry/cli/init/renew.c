#include "registry/cli/init/renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/macros.h"
#include "registry/cli/init/certificate.h"
#include "registry/cli/init/layout.h"

enum { PEM_MAX = 1 << 20 };

/* Paths in the directory. Early versions of init put all files at the top. */
static const struct files {
    const char *certificate, *key, *authority_key, *temporary;
} present_files = {LAYOUT_CERTIFICATE, LAYOUT_KEY, LAYOUT_AUTHORITY_KEY,
                   LAYOUT_CERTIFICATES_DIRECTORY "/.registry.crt.tmp"},
  early_files = {"registry.crt", "registry.key", "ca.key", ".registry.crt.tmp"};

struct renewal {
    const char *path; /* of the directory */
    int fd;
    const struct files *files;
    struct certificate authority;
    struct secbuf key; /* the server's */
    char **old_names;
    size_t old_count;
};

static void renewal_done(struct renewal *renewal)
{
    if (renewal->fd >= 0)
        close(renewal->fd);
    certificate_done(&renewal->authority);
    secbuf_done(&renewal->key);
    certificate_free_names(renewal->old_names, renewal->old_count);
}

static int read_text(const struct renewal *renewal, const char *name, char **ret, struct error *err)
{
    CLEANUP_CLOSE int fd = file_open_regular(renewal->fd, name, NULL);
    size_t size;
    int r = fd < 0 ? fd : file_read_all(fd, PEM_MAX, ret, &size);

    return r < 0 ? error_set_errno(err, -r, "cannot read %s/%s", renewal->path, name) : 0;
}

static int read_key(const struct renewal *renewal, const char *name, struct secbuf *ret,
                    struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    int r = read_text(renewal, name, &text, err);

    if (r < 0)
        return r;
    r = secbuf_append(ret, text, strlen(text));
    explicit_bzero(text, strlen(text));
    return r < 0 ? error_set_oom(err) : 0;
}

static int read_old_names(struct renewal *renewal, struct error *err)
{
    CLEANUP_FREE char *old = NULL;
    int r = read_text(renewal, renewal->files->certificate, &old, err);

    return r < 0 ? r : certificate_get_names(old, &renewal->old_names, &renewal->old_count, err);
}

static int open_renewal(struct renewal *renewal, struct error *err)
{
    int r;

    renewal->fd = file_open_directory(AT_FDCWD, renewal->path);
    if (renewal->fd < 0)
        return error_set_errno(err, -renewal->fd, "cannot open %s", renewal->path);
    renewal->files = faccessat(renewal->fd, early_files.key, F_OK, AT_SYMLINK_NOFOLLOW) == 0
                         ? &early_files
                         : &present_files;
    r = read_text(renewal, LAYOUT_AUTHORITY, &renewal->authority.text, err);
    if (r == 0)
        r = read_key(renewal, renewal->files->authority_key, &renewal->authority.key, err);
    if (r == 0)
        r = read_key(renewal, renewal->files->key, &renewal->key, err);
    return r < 0 ? r : read_old_names(renewal, err);
}

static int replace_certificate(const struct renewal *renewal, const char *text, struct error *err)
{
    const struct files *files = renewal->files;
    CLEANUP_CLOSE int parent = -1;
    int r;

    unlinkat(renewal->fd, files->temporary, 0); /* left by a process that was killed */
    r = file_write_temporary(renewal->fd, files->temporary, 0644, text, strlen(text));
    if (r == 0 && renameat(renewal->fd, files->temporary, renewal->fd, files->certificate) < 0)
        r = -errno;
    if (r == 0) {
        parent = file_open_directory(
            renewal->fd, strchr(files->certificate, '/') ? LAYOUT_CERTIFICATES_DIRECTORY : ".");
        r = parent < 0 ? parent : file_sync_directory(parent);
    }
    return r < 0 ? error_set_errno(err, -r, "cannot write %s/%s", renewal->path, files->certificate)
                 : 0;
}

int init_renew(const struct init_options *options, struct error *err)
{
    CLEANUP(renewal_done) struct renewal renewal = {.path = options->directory, .fd = -1};
    CLEANUP(certificate_done) struct certificate server = {0};
    struct certificate_names names = {.items = options->hosts, .count = options->host_count};
    int r = open_renewal(&renewal, err);

    if (r == 0 && names.count == 0)
        names = (struct certificate_names){.items = (const char *const *)renewal.old_names,
                                           .count = renewal.old_count};
    if (r == 0 && names.count == 0)
        r = error_set(err, EINVAL, "%s/%s contains no host name; give --host", renewal.path,
                      renewal.files->certificate);
    if (r == 0)
        r = certificate_make_server(&renewal.authority, &names, &renewal.key, &server, err);
    if (r == 0)
        r = replace_certificate(&renewal, server.text, err);
    if (r == 0)
        printf("%s/%s was replaced. A running registryd loads it within seconds.\n", renewal.path,
               renewal.files->certificate);
    return r;
}
