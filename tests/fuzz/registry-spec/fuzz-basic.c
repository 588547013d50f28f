/*
 * Authorization: accepted credentials, encoded again, are the end of the header.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/macros.h"
#include "registry/spec/basic.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* With the alphabet of headers. */
static char *encode(const struct secbuf *pair)
{
    char *text = malloc(base64url_encoded_size(pair->size) + 1);

    REQUIRE(text);
    base64url_encode(pair->data, pair->size, text);
    for (char *c = text; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    return text;
}

static void check(const uint8_t *data, size_t size, struct secbuf *user,
                  const struct secbuf *password)
{
    CLEANUP_FREE char *text = NULL;

    REQUIRE(!memchr(user->data, ':', user->size));
    REQUIRE(secbuf_append(user, ":", 1) == 0 &&
            secbuf_append(user, password->data, password->size) == 0);
    text = encode(user);
    while (data[size - 1] == ' ')
        size--;
    REQUIRE(strlen(text) <= size && memcmp(data + size - strlen(text), text, strlen(text)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(secbuf_done) struct secbuf user = {0}, password = {0};
    int r = basic_parse((const char *)data, size, &user, &password);

    fuzz_was_accepted = r == 0;
    REQUIRE(r == 0 || r == BASIC_ABSENT || r == -EINVAL);
    if (r == 0)
        check(data, size, &user, &password);
    else
        REQUIRE(user.size == 0 && password.size == 0);
    return 0;
}
