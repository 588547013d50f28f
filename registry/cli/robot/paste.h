#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Appends instructions for docker login, Kubernetes and GitHub Actions to ret. user and host must
 * consist of characters that need no quotes. 0 or -ENOMEM.
 */
int robot_paste(const char *user, const struct secbuf *password, const char *host,
                struct secbuf *ret) MUST_USE;
