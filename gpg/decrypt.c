/*
 * Decryption, with a queue for a busy gpg-agent: about 30 concurrent decryptions with RSA-4096
 * exhaust its secure memory, and docker pulls dozens of layers at once.
 */
#include "gpg/decrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#include "common/file.h"
#include "gpg/card-guard.h"
#include "gpg/context-private.h"
#include "gpg/data.h"
#include "gpg/explain.h"
#include "gpg/patience.h"
#include "gpg/watch.h"
#include "gpg/words.h"

enum { MOST_TRIES = 8 };

/* The queue's lock is on the agent's home directory, which exists and belongs to one agent. */
static int open_home(struct gpg_context *gpg)
{
    const char *home = gpgme.ctx_get_engine_info(gpg->handle)->home_dir;
    char path[4096];

    if (!home)
        home = getenv("GNUPGHOME");
    if (home && *home)
        return file_open_directory(AT_FDCWD, home);
    snprintf(path, sizeof(path), "%s/.gnupg", getenv("HOME") ? getenv("HOME") : "");
    return file_open_directory(AT_FDCWD, path);
}

/* Without a lock, or if its holder never releases it, only the pauses limit the load. */
static void wait_for_turn(int queue_fd)
{
    const struct timespec pause = {.tv_nsec = 20L * 1000 * 1000};

    for (int tries = gpg_patience() * 50; tries > 0 && flock(queue_fd, LOCK_EX | LOCK_NB) < 0;
         tries--)
        nanosleep(&pause, NULL);
}

/*
 * Processes outside the queue may still fill the memory, so even the first in the queue waits
 * longer each time.
 */
static void pause_before_try(int try)
{
    struct timespec pause = {.tv_nsec = 20L * 1000 * 1000 * try};

    nanosleep(&pause, NULL);
}

static gpgme_error_t decrypt_once(struct gpg_context *gpg, int fd, struct gpg_stream *stream)
{
    CLEANUP(gpg_data_release) gpgme_data_t in = NULL, out = NULL;
    gpgme_error_t e;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return gpg_error_from_syserror();
    e = gpgme.data_new_from_fd(&in, fd);
    if (!e)
        e = gpg_data_new_writer(stream, &out);
    if (!e)
        e = gpgme.op_decrypt(gpg->handle, in, out);
    return e;
}

/*
 * With "pinentry-mode loopback" in gpg.conf gpg itself asks on its terminal, which it does not have
 * here. The pinentry asks on the same terminal instead.
 */
static bool asks_by_itself(struct gpg_context *gpg)
{
    return gpg->status.wants_loopback && gpg->pinentry_mode == GPG_PINENTRY_DEFAULT;
}

/*
 * The last tag authenticates the length. If it does not match, gpg may report it only in its log;
 * that message is always in English.
 */
static bool is_unauthentic(struct gpg_context *gpg)
{
    return gpg_status_is_unauthentic(&gpg->status) ||
           (gpg->status.has_no_mdc && gpg_words_include(gpg, "gcry_cipher_checktag"));
}

int gpg_decrypt(struct gpg_context *gpg, int fd, const char *name, size_t limit,
                struct secbuf *ret_plain, struct error *err)
{
    CLEANUP_CLOSE int queue_fd = -1;
    struct gpg_stream stream = {.buf = ret_plain, .limit = limit};
    size_t size_before = ret_plain->size;
    gpgme_error_t e;
    int r = gpg_context_check_debugging(gpg, err);

    if (r < 0)
        return error_wrap(err, "cannot decrypt %s", name);
    if (gpg->pinentry_mode == GPG_PINENTRY_ERROR) {
        r = gpg_card_guard(gpg, fd, name, err);
        if (r < 0)
            return r;
    }
    for (int try = 1;; try++) {
        gpg_watch_begin(gpg);
        e = decrypt_once(gpg, fd, &stream);
        r = gpg_watch_end(gpg, e != 0, false, err);
        if (!e && is_unauthentic(gpg))
            e = gpg_error(GPG_ERR_CHECKSUM);
        if (!e && r == 0)
            return 0;
        /* Plaintext may have been received before the integrity check failed. */
        secbuf_truncate(ret_plain, size_before);
        if (r < 0)
            return error_wrap(err, "cannot decrypt %s", name);
        if (try == 1 && asks_by_itself(gpg) &&
            gpgme.set_pinentry_mode(gpg->handle, GPGME_PINENTRY_MODE_ASK) == 0)
            continue;
        if (gpgme_err_code(e) != GPG_ERR_ENOMEM || try == MOST_TRIES)
            break;
        if (queue_fd < 0) {
            queue_fd = open_home(gpg);
            if (queue_fd >= 0)
                wait_for_turn(queue_fd);
        }
        pause_before_try(try);
    }
    return gpg_explain_decrypt(gpg, e, name, err);
}
