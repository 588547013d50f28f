#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a gpg.conf says nothing that could change what decrypting a message comes to, or who is asked for it. What is not
 * known to be harmless is not. Pure.
 */
bool gpg_conf_is_harmless(const char *text, size_t size);
