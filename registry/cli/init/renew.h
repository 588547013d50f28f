#pragma once

#include "common/error.h"
#include "registry/cli/init/options.h"

/*
 * Replaces the server's certificate in an existing directory, for the same key, so that one file is all that changes; for
 * the same names, unless options have others that the authority may sign for. 0 or negative.
 */
int init_renew(const struct init_options *options, struct error *err) MUST_USE;
