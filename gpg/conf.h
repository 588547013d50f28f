#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether no option in a gpg.conf can change the result of a decryption, or who is asked for a
 * passphrase. An unknown option counts as one that can. Pure.
 */
bool gpg_conf_is_harmless(const char *text, size_t size);

/* What a common.conf says about keyboxd. GnuPG 2.2 does not read this file. */
enum gpg_common_conf {
    GPG_COMMON_CONF_NOTHING,
    GPG_COMMON_CONF_KEYBOXD, /* use-keyboxd */
    GPG_COMMON_CONF_UNKNOWN, /* a line that is not known to be harmless */
};
enum gpg_common_conf gpg_common_conf_parse(const char *text, size_t size);
