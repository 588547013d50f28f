#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Formats the lines for docker login, a Kubernetes Secret and GitHub Actions that use a new robot. user and host must
 * consist of characters that need no quotes. Appends to ret; 0 or -ENOMEM.
 */
int robot_paste(const char *user, const struct secbuf *password, const char *host, struct secbuf *ret) MUST_USE;
