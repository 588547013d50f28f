#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "registry/confine/confine.h"

/*
 * Writes the BPF program of the filter that confine_calls() enables on an architecture
 * (SCMP_ARCH_... of libseccomp) to fd, as an array of struct sock_filter. pid is the process that
 * may send signals to its own threads. For tests, which interpret the program. 0 or negative.
 */
int confine_export_calls(uint32_t architecture, pid_t pid,
                         const struct confinement *confinement, int fd, struct error *err) MUST_USE;
