/*
 * The cost of a passphrase: OpenPGP's iterated S2K (RFC 4880 section 3.7.1.3) hashes `count` bytes.
 * gpg-agent uses SHA-1 for the keys in its files. Both it and this estimate use libgcrypt.
 */
#include "gpg/s2k-time.h"

#include <gcrypt.h>
#include <time.h>

#include "common/macros.h"

enum { RUNS = 5, RUN_SIZE = 1 << 20, BLOCK_SIZE = 4096, NS_PER_MS = 1000000 };

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

/* The fastest of a few short runs, because other programs may interrupt some of them. */
static uint64_t measure_run_ns(void)
{
    unsigned char block[BLOCK_SIZE] = {0}, hash[20];
    gcry_buffer_t parts[RUN_SIZE / BLOCK_SIZE];
    uint64_t best = UINT64_MAX;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        parts[i] = (gcry_buffer_t){.data = block, .len = sizeof(block)};
    for (int i = 0; i < RUNS; i++) {
        uint64_t start = thread_cpu_ns(), end;

        gcry_md_hash_buffers(GCRY_MD_SHA1, 0, hash, parts, ARRAY_SIZE(parts));
        end = thread_cpu_ns();
        best = end - start < best ? end - start : best;
    }
    return best;
}

uint64_t gpg_estimate_s2k_ms(uint64_t count)
{
    return (uint64_t)((double)count / RUN_SIZE * (double)measure_run_ns() / NS_PER_MS);
}
