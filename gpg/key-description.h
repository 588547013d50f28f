#pragma once

#include "common/secbuf.h"
#include "gpg/keybox.h"

/*
 * Appends what gpg has a passphrase's prompt say of a key, escaped as gpg-agent's SETKEYDESC takes it:
 *
 *     Please enter the passphrase to unlock the OpenPGP secret key:
 *     "Name <mail>"
 *     255-bit ECDH key, ID 4FB760023045CFCA,
 *     created 2026-11-25 (main key ID 9F001339DADC08EF).
 *
 * 0 or -ENOMEM.
 */
int key_description_append(const struct keybox_entry *entry, struct secbuf *ret) MUST_USE;
