#pragma once

#include "registry/access/identity-tokens.h"

/* The format in which the record of an identity token is stored. Pure; from any thread. */

enum { IDENTITY_RECORD_MAX = 4096 }; /* bytes */

/*
 * Returns one JSON object and a newline, owned by the caller, free with free(). NULL if memory is
 * exhausted.
 */
char *identity_record_format(const struct identity_record *record);

/* Fills all members but id, key and version. 0, -EBADMSG or -ENOMEM. */
int identity_record_parse(const char *text, size_t size, struct identity_record *ret) MUST_USE;

/* Writes 2 * size lower-case digits and a NUL. */
void identity_format_hex(const unsigned char *bytes, size_t size, char *ret_text);
