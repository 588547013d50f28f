/*
 * The store document: accepted input has a server URL and a username, and the answer made from it
 * is a document that is read back to the same credential.
 */
#include <string.h>

#include "helper/credential.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;


static void check_round_trip(const struct credential *credential)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    CLEANUP(credential_done) struct credential again = {0};
    struct error err;

    REQUIRE(credential->server_url.size > 0 && credential->username.size > 0);
    REQUIRE(credential_format(credential, &text) == 0);
    REQUIRE(text.size > 0 && text.data[text.size - 1] == '\n');
    REQUIRE(!memchr(text.data, '\n', text.size - 1));
    REQUIRE(credential_parse(text.data, text.size, &again, &err) == 0);
    REQUIRE(secbuf_is_equal(&credential->server_url, &again.server_url));
    REQUIRE(secbuf_is_equal(&credential->username, &again.username));
    REQUIRE(secbuf_is_equal(&credential->secret, &again.secret));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(credential_done) struct credential credential = {0};
    struct error err = {0};

    fuzz_was_accepted = credential_parse(data, size, &credential, &err) == 0;
    if (fuzz_was_accepted)
        check_round_trip(&credential);
    else
        REQUIRE(err.text[0] && !strchr(err.text, '\n'));
    return 0;
}
