/*
 * Recipients are passed to GPGME as text, one in a line. Only in this form gpg resolves them
 * itself, with the groups, substrings and subkeys of `gpg -r`, and without another process for
 * each.
 */
#include "gpg/encrypt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gpg/context-private.h"
#include "gpg/data.h"
#include "gpg/explain.h"
#include "gpg/watch.h"

/* A first line "--" makes GPGME treat the following lines as names only, never as options. */
static char *format_recipients(const char *recipients)
{
    char *text;

    return asprintf(&text, "--\n%s", recipients) < 0 ? NULL : text;
}

int gpg_encrypt(struct gpg_context *gpg, const char *recipients, const char *source,
                struct secbuf *plain, struct secbuf *ret_message, struct error *err)
{
    CLEANUP(gpg_data_release) gpgme_data_t in = NULL, out = NULL;
    CLEANUP_FREE char *text = NULL;
    struct gpg_stream reader = {.buf = plain}, writer = {.buf = ret_message, .limit = SECBUF_MAX};
    gpgme_encrypt_flags_t flags = GPGME_ENCRYPT_NO_ENCRYPT_TO | GPGME_ENCRYPT_NO_COMPRESS;
    size_t size_before = ret_message->size;
    gpgme_error_t e;
    int r;

    if (!*recipients) /* GPGME would take an empty list for symmetric encryption */
        return error_set(err, EINVAL, "%s names no key to encrypt to", source);
    r = gpg_context_check_debugging(gpg, err);
    if (r < 0)
        return error_wrap(err, "cannot encrypt to the keys named in %s", source);
    text = format_recipients(recipients);
    if (!text)
        return error_set_oom(err);
    if (gpg->has_hidden_recipients)
        flags |= GPGME_ENCRYPT_THROW_KEYIDS;
    e = gpg_data_new_reader(&reader, &in);
    if (!e)
        e = gpg_data_new_writer(&writer, &out);
    if (e)
        return error_set_oom(err);
    gpg_watch_begin(gpg);
    e = gpgme.op_encrypt_ext(gpg->handle, NULL, text, flags, in, out);
    r = gpg_watch_end(gpg, e != 0, true, err);
    if (r < 0)
        return error_wrap(err, "cannot encrypt to the keys named in %s", source);
    if (e)
        return gpg_explain_encrypt(gpg, e, source, err);
    /* GPGME reports success if gpg says nothing, even if gpg could not be started or was killed. */
    if (!gpg_watch_has_encrypted(gpg) || ret_message->size == size_before)
        return gpg_explain_encrypt(gpg, 0, source, err);
    return 0;
}
