#pragma once

#include <stdbool.h>

#include "common/secbuf.h"
#include "registry/access/access.h"
#include "registry/api/endpoint.h"

/* A request to the token server: the query of GET, or the form of POST (distribution specification). */

struct token_form {
    struct scopes scopes;
    char client[IDENTITY_CLIENT_MAX + 1]; /* printable; "" if the client does not say what it is */
    bool wants_identity;                  /* an identity token, too */
};

/*
 * Reads the parameters that both have. 0 with *ret (token_form_done()), -ENOMEM, or -EINVAL; then *ret_why says what is
 * wrong.
 */
int token_form_parse(const char *text, const char *service, struct token_form *ret, const char **ret_why) MUST_USE;
void token_form_done(struct token_form *form);

/*
 * Reads the credentials of POST: grant_type, and username and password or refresh_token. An identity token becomes the
 * password of the user "<token>", as clients write it elsewhere. Results as above; free them with credentials_done().
 */
int token_form_parse_credentials(const char *text, struct credentials *ret, const char **ret_why) MUST_USE;
