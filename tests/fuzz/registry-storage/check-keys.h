#pragma once

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/keys.h"
#include "tests/fuzz/fuzz.h"

#define KEYS_ORIGIN "the endpoint"

/* What is true of every result of a parser of keys: r, the keys if it is 0, else the error. */
static inline void check_keys(int r, const struct keys *keys, const struct error *err)
{
    if (r < 0) {
        REQUIRE(err->code == -r && strncmp(err->text, KEYS_ORIGIN, strlen(KEYS_ORIGIN)) == 0);
        for (const char *at = err->text; *at; at++)
            REQUIRE(isprint((unsigned char)*at)); /* it goes to the log and to a terminal */
        return;
    }
    REQUIRE(r == 0 && keys->users == 1 && *keys->access && keys->secret.size > 0);
    REQUIRE(!keys_are_expired(keys));
    /* These become a part of headers. */
    for (const char *at = keys->access; *at; at++)
        REQUIRE(isgraph((unsigned char)*at) && !strchr("/,;=", *at));
    for (size_t i = 0; i < keys->token.size; i++)
        REQUIRE(isgraph(keys->token.data[i]));
}
