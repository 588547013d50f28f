#pragma once

#include "common/error.h"
#include "registry/cli/init/options.h"

/*
 * Replaces the server's certificate in an existing directory. The key stays, so that only one file
 * changes. The names stay, unless options name others that the authority may sign for. 0 or
 * negative.
 */
int init_renew(const struct init_options *options, struct error *err) MUST_USE;
