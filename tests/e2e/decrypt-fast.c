/*
 * decrypt-fast [HOMEDIR]
 *
 * Decrypts each file that a line of stdin names, using only the fast path. It prints one line on stdout for each:
 *
 *     answered <size in bytes> <sha256>
 *     declined <reason>
 *     failed <the error that gpg would report>
 *
 * followed by the duration in microseconds. HOMEDIR is the value that PASSWORD_STORE_GPG_OPTS would set.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/digest.h"
#include "gpg/fast-decrypt.h"

enum { LIMIT = 4 << 20 };

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void print_answer(const struct secbuf *plain)
{
    struct digest digest;

    if (digest_of(DIGEST_SHA256, plain->data, plain->size, &digest) < 0)
        abort();
    printf("answered %zu %s", plain->size, digest.hex);
}

static void decrypt(const struct gpg_options *options, const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(secbuf_done) struct secbuf plain = {0};
    struct error err = {0};
    uint64_t begin = now_us();
    int r = gpg_fast_decrypt(options, fd, path, LIMIT, &plain, &err);
    uint64_t end = now_us();

    if (r == 0)
        print_answer(&plain);
    else if (plain.size != 0)
        printf("BROKEN: it returned a plaintext nevertheless");
    else
        printf("%s %s", r == GPG_FAST_DECLINED ? "declined" : "failed", err.text);
    printf(" %llu\n", (unsigned long long)(end - begin));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct gpg_options options = {.homedir = argc > 1 ? argv[1] : NULL};
    char line[4096];

    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        decrypt(&options, line);
    }
    return 0;
}
