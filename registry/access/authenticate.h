#pragma once

#include "registry/access/access.h"

/*
 * Checks the credentials of a question, which must have some. Returns ACCESS_GRANTED with the
 * principal in ret and, if the credentials are a token, the token in *ret_token
 * (verified_token_unref); otherwise a refusal. For registry/access/access.c.
 */
enum access_verdict access_authenticate(const struct access *access,
                                        const struct access_question *question,
                                        struct access_answer *ret,
                                        struct verified_token **ret_token);

/*
 * Like access_authenticate(), for a client that asks for a token. Also finds the stamp of its
 * credentials; a pipeline's token has none.
 */
enum access_verdict access_authenticate_for_token(const struct access *access,
                                                  const struct access_question *question,
                                                  struct access_answer *ret,
                                                  struct verified_token **ret_token);

/* Whether the name is reserved for robots. Always false if no robots file is configured. */
bool access_is_robot(const struct access *access, const char *name, size_t size);
