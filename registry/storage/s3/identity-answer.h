#pragma once

#include "registry/storage/s3/key-endpoint.h"

/*
 * AssumeRoleWithWebIdentity of the Security Token Service: the form with a token, and the answer in
 * XML with keys. Pure, except for the clock.
 */

/* Appends the form for the token. 0 or -ENOMEM. */
int identity_format_form(const struct key_endpoint *endpoint, struct piece token,
                         struct secbuf *ret) MUST_USE;

/* After xml_load(). *ret is the caller's, free with keys_drop(). 0 or negative. */
int identity_parse(struct piece answer, const char *origin, struct keys **ret,
                   struct error *err) MUST_USE;
