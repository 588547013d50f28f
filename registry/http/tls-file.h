#pragma once

#include <gnutls/gnutls.h>

#include "common/macros.h"

/* The text of a file in PEM, which may be a key. Zeroed at first; free with tls_file_done(). */
struct tls_file {
    char *text;
    size_t size;
};

/* Reads the open file to its end. 0 or -errno; a file of more than 1 MiB is -EFBIG. */
int tls_file_read(int fd, struct tls_file *ret) MUST_USE;

/* The text for GnuTLS; borrowed. */
gnutls_datum_t tls_file_datum(const struct tls_file *file);

/* Wipes the text. */
void tls_file_done(struct tls_file *file);
