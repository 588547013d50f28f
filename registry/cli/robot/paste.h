#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/*
 * What a new robot's maker copies into other programs, as text: docker login, a Kubernetes Secret, GitHub Actions. user and
 * host are of characters that need no quotes. Appends to ret; 0 or -ENOMEM.
 */
int robot_paste(const char *user, const struct secbuf *password, const char *host, struct secbuf *ret) MUST_USE;
