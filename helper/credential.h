#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/* A login to one server. All three are bytes of any kind, and may be empty but where said. */
struct credential {
    struct secbuf server_url;
    struct secbuf username;
    struct secbuf secret;
};

/*
 * Reads the document that `store` gets, as Go's encoding/json would: names in any case, unknown
 * ones ignored, of several the last wins, null leaves a field as it is. A document without
 * server URL or username is refused with the texts that clients compare.
 * 0 with *ret owned by the caller (credential_done), or negative.
 */
int credential_parse(const void *text, size_t size, struct credential *ret,
                     struct error *err) MUST_USE;

/*
 * Appends the answer of `get`, {"ServerURL":…,"Username":…,"Secret":…} and a newline. 0 or -ENOMEM.
 */
int credential_format(const struct credential *credential, struct secbuf *ret_text) MUST_USE;

/* Appends text as a JSON string. 0 or -ENOMEM. */
int credential_append_quoted(struct secbuf *ret_text, const void *text, size_t size) MUST_USE;

void credential_done(struct credential *credential);
