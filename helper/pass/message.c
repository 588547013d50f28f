/* Recognises an encrypted message by its first bytes, so that no other file is overwritten. */
#include "helper/pass/message.h"

#include <string.h>

/*
 * RFC 4880, section 4.2: the tag is in the low six bits; in the old format, two bits for the type
 * of the length follow it.
 */
static int tag_of(unsigned char first)
{
    if (!(first & 0x80))
        return -1;
    return first & 0x40 ? first & 0x3F : (first >> 2) & 0x0F;
}

bool pass_message_begins(const void *bytes, size_t size)
{
    static const char armor[] = "-----BEGIN PGP MESSAGE-----";
    static const int tags[] = {1, 3, 9, 10, 18, 20}; /* 20: GnuPG's own for OCB */

    if (size == 0)
        return false;
    if (size >= sizeof(armor) - 1 && memcmp(bytes, armor, sizeof(armor) - 1) == 0)
        return true;
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (tag_of(*(const unsigned char *)bytes) == tags[i])
            return true;
    return false;
}
