#pragma once

#include "gpg/gpgme.h"

#include "common/secbuf.h"

/*
 * GPGME data objects on top of a secbuf, so that plaintext only passes through callbacks and one
 * small buffer of GPGME's own, which GPGME wipes because of the "sensitive" flag.
 */
struct gpg_stream {
    struct secbuf *buf; /* borrowed */
    size_t at;          /* reading: how much GPGME has read */
    size_t limit;       /* writing: more bytes than this fail with EFBIG */
};

/* GPGME reads stream->buf. stream is borrowed and must outlive *ret (gpg_data_release). */
gpgme_error_t gpg_data_new_reader(struct gpg_stream *stream, gpgme_data_t *ret);

/* GPGME appends to stream->buf. stream is borrowed and must outlive *ret (gpg_data_release). */
gpgme_error_t gpg_data_new_writer(struct gpg_stream *stream, gpgme_data_t *ret);
