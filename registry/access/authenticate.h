#pragma once

#include "registry/access/access.h"

/*
 * Checks the credentials of a question, which has some. ACCESS_GRANTED with the principal in ret,
 * and with the token if the credentials are one (verified_token_unref); or a refusal. For
 * registry/access/access.c.
 */
enum access_verdict access_authenticate(const struct access *access,
                                        const struct access_question *question,
                                        struct access_answer *ret,
                                        struct verified_token **ret_token);

/*
 * Does the same for a client that asks for a token with a name and a password, and also finds the
 * stamp of what it has used. A token from a pipeline has none.
 */
enum access_verdict access_authenticate_for_token(const struct access *access,
                                                  const struct access_question *question,
                                                  struct access_answer *ret,
                                                  struct verified_token **ret_token);

/* Whether the name is that of a robot, if there are robots. */
bool access_is_robot(const struct access *access, const char *name, size_t size);
