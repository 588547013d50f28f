#pragma once

#include "common/error.h"
#include "registry/cli/init/directory.h"

/* Adds a configuration file for a server in that directory. 0 or negative. */
int init_configuration_add(struct init_directory *directory, unsigned port,
                           struct error *err) MUST_USE;
