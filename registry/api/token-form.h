#pragma once

#include <stdbool.h>

#include "common/secbuf.h"
#include "registry/access/access.h"
#include "registry/api/endpoint.h"

/*
 * Parses a request to the token server: the query of GET, or the form of POST (distribution's token
 * specification).
 */

struct token_form {
    struct scopes scopes;
    char client[IDENTITY_CLIENT_MAX + 1]; /* the client's name, printable; "" if it gave none */
    bool wants_identity;                  /* the client also asks for an identity token */
};

/*
 * Parses the parameters that GET and POST have in common. Returns 0 with *ret (free with
 * token_form_done()), -ENOMEM, or -EINVAL with the reason in *ret_why (a constant).
 */
int token_form_parse(const char *text, const char *service, struct token_form *ret,
                     const char **ret_why) MUST_USE;
void token_form_done(struct token_form *form);

/*
 * Parses the credentials of POST: grant_type, and username and password or refresh_token. An
 * identity token becomes the password of the user "<token>", as in a header Authorization. Returns
 * like token_form_parse(); free *ret with credentials_done().
 */
int token_form_parse_credentials(const char *text, struct credentials *ret,
                                 const char **ret_why) MUST_USE;

/* Parses the form of a revocation (RFC 7009): the parameter token. 0, -EINVAL or -ENOMEM. */
int token_form_parse_revocation(const char *text, struct secbuf *ret) MUST_USE;
