#pragma once

#include "common/secbuf.h"

/*
 * Appends what a literal data packet holds (RFC 4880, section 5.9), which must be all that content is; the content's bytes are
 * moved about. 0; -ENOTSUP for other packets, several of them, or text whose line ends gpg would change; -EFBIG for more than
 * limit bytes; -EBADMSG; -ENOMEM. ret is changed only by success.
 */
int literal_append(struct secbuf *content, size_t limit, struct secbuf *ret) MUST_USE;
