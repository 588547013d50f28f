/*
 * erase: a server URL on stdin, and its entries are gone. `docker logout` asks for four spellings
 * of each server, so what is not there is no failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "helper/input.h"
#include "helper/pass/git.h"
#include "helper/pass/path.h"
#include "helper/pass/remove.h"
#include "helper/protocol.h"

static int erase_server(struct pass_store *store, const struct pass_path *path, struct error *err)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error git_err;
    int r = pass_store_lock(store, err);

    if (r == 0)
        r = pass_store_open_folder(store, false, err);
    if (r == 0)
        r = pass_remove_server(store, path, &changes, err);
    if (r == 0 && pass_git_record(store, &changes, &git_err) != 0)
        fprintf(stderr, "docker-credential-pass: warning: %s\n", git_err.text);
    return r;
}

int verb_erase(struct secbuf *ret_answer, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(secbuf_done) struct secbuf url = {0};
    struct pass_path path;
    int r = input_read_url(STDIN_FILENO, &url, err);

    (void)ret_answer; /* success is silence */
    if (r == 0)
        r = pass_store_open(&store, err);
    if (r < 0)
        return r;
    if (pass_path_set_url(&path, url.data, url.size) < 0 || store.folder_fd < 0)
        return 0;
    if (faccessat(store.folder_fd, path.folder, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return erase_server(&store, &path, err);
    if (errno == ENOENT)
        return 0;
    return error_set_errno(err, errno, "cannot look into %s/" PASS_FOLDER, store.root);
}
