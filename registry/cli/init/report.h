#pragma once

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/cli/init/options.h"

/*
 * Prints what to do with the new directory (its absolute path): start the registry, have clients trust it, log in.
 * generated is the password, if the user does not know it; else NULL. 0 or negative.
 */
int init_report(const struct init_options *options, const char *directory, const struct secbuf *generated,
                struct error *err) MUST_USE;
