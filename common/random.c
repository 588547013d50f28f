/*
 * Whoever knows the name of an upload session can write to it, and keys that are created at start
 * protect passwords, so both come from the kernel's generator.
 */
#include "common/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

void random_bytes(void *ret, size_t size)
{
    unsigned char *at = ret;

    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) /* the call is missing; predictable bytes would be worse than ending */
            abort();
        at += n;
        size -= (size_t)n;
    }
}

void random_uuid(char ret_text[RANDOM_UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];

    random_bytes(bytes, sizeof(bytes));
    bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80); /* the variant of the RFC */
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *ret_text++ = '-';
        *ret_text++ = digits[bytes[i] >> 4];
        *ret_text++ = digits[bytes[i] & 0xF];
    }
    *ret_text = '\0';
}
