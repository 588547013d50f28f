#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether bytes, the first of a file, are how an encrypted OpenPGP message begins: with a session
 * key (RFC 4880, 5.1 and 5.3), a marker (5.8), encrypted data (5.7, 5.13), or its armor (6.2).
 * Keyrings and texts begin otherwise. Pure.
 */
bool pass_message_begins(const void *bytes, size_t size);
