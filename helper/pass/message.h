#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a file that begins with these bytes is an encrypted OpenPGP message: a session key (RFC
 * 4880, 5.1 and 5.3), a marker (5.8), encrypted data (5.7, 5.13), or armor (6.2). Keyrings and text
 * files begin otherwise. Pure.
 */
bool pass_message_begins(const void *bytes, size_t size);
