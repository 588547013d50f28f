#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a gpg.conf says nothing that could change what decrypting a message comes to, or who is asked for it. What is not
 * known to be harmless is not. Pure.
 */
bool gpg_conf_is_harmless(const char *text, size_t size);

/* What a common.conf says of keyboxd, which GnuPG 2.2 does not read. */
enum gpg_common_conf {
    GPG_COMMON_CONF_NOTHING,
    GPG_COMMON_CONF_KEYBOXD, /* use-keyboxd */
    GPG_COMMON_CONF_UNKNOWN, /* a line that is not known to be harmless */
};
enum gpg_common_conf gpg_common_conf_parse(const char *text, size_t size);
