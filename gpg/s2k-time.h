#pragma once

#include <stdint.h>

/*
 * How many milliseconds gpg-agent needs on this machine to derive a key from a passphrase with that
 * S2K count. Computed from the CPU time of hashing a small buffer here and now, so that other
 * programs on the machine do not change the answer. Takes a few milliseconds.
 */
uint64_t gpg_estimate_s2k_ms(uint64_t count);
