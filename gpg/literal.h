#pragma once

#include "common/secbuf.h"

/*
 * Appends the content of a literal data packet (RFC 4880, section 5.9), which must be the only
 * packet in content. Modifies content. 0; -ENOTSUP for other packets, several packets, or text
 * whose line ends gpg would change; -EFBIG for more than limit bytes; -EBADMSG; -ENOMEM. ret is
 * changed only on success.
 */
int literal_append(struct secbuf *content, size_t limit, struct secbuf *ret) MUST_USE;
