#pragma once

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/cli/init/options.h"

/*
 * Prints the next steps: start the registry, have clients trust it, log in. directory is an
 * absolute path. generated is the generated password, or NULL if the user chose one. 0 or negative.
 */
int init_report(const struct init_options *options, const char *directory,
                const struct secbuf *generated, struct error *err) MUST_USE;
