#pragma once

#include "gpg/session-key.h"

/*
 * Decrypts sealed data: AES in CFB mode with a modification detection code (RFC 4880, section
 * 5.13), or in OCB mode with authentication tags (packet 20 of RFC 4880bis, draft 5, section 5.16,
 * as GnuPG writes it).
 *
 * 0 with the packets in *ret_content (owned by the caller, secbuf_done), completely authenticated;
 * or negative with nothing (-EBADMSG: the key or the data is wrong; -ENOTSUP; -ENOMEM).
 */
int sealed_open(const struct packet *sealed, const struct session_key *key,
                struct secbuf *ret_content) MUST_USE;
