#pragma once

#include "common/secbuf.h"
#include "gpg/keybox.h"

/*
 * Appends gpg's description of a key for a passphrase prompt, escaped for gpg-agent's SETKEYDESC. 0
 * or -ENOMEM. The text is:
 *
 * Please enter the passphrase to unlock the OpenPGP secret key: "Name <mail>" 255-bit ECDH key, ID
 * 4FB760023045CFCA, created 2026-11-25 (main key ID 9F001339DADC08EF).
 */
int key_description_append(const struct keybox_entry *entry, struct secbuf *ret) MUST_USE;
