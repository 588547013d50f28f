#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/*
 * A login to one server. Each field may hold any bytes, and may be empty unless a function says
 * otherwise.
 */
struct credential {
    struct secbuf server_url;
    struct secbuf username;
    struct secbuf secret;
};

/*
 * Parses the document that `store` receives, as Go's encoding/json would: member names match in any
 * case, unknown members are ignored, the last of several wins, and null leaves a field unchanged.
 * Refuses a document without a server URL or username, with the texts that clients compare. 0 with
 * *ret owned by the caller (credential_done), or negative.
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
