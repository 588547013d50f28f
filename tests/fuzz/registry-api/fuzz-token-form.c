/*
 * Requests to the token server: any query or form may come. A refusal has words and leaves nothing;
 * what is accepted is within its bounds; a repeated parameter is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/credentials.h"
#include "registry/api/token-form.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static const char service[] = "Registry Realm";

static void check_credentials(const char *text)
{
    CLEANUP(credentials_done) struct credentials credentials = {0};
    const char *why = NULL;
    int r = token_form_parse_credentials(text, &credentials, &why);

    REQUIRE(r == 0 ||
            (r == -EINVAL && why && !credentials.user.data && !credentials.password.data));
    REQUIRE(!credentials.bearer.data);
    if (r != 0)
        return;
    REQUIRE(credentials.user.data && credentials.password.data);
    REQUIRE(credentials.user.size <= strlen(text) + sizeof("<token>") &&
            credentials.password.size <= strlen(text));
    REQUIRE(!memchr(credentials.user.data, '\0', credentials.user.size));
    REQUIRE(!memchr(credentials.password.data, '\0', credentials.password.size));
}

static bool is_accepted(const char *text, const char *more)
{
    struct token_form form = {0};
    const char *why = NULL;
    CLEANUP_FREE char *both = NULL;
    int r;

    REQUIRE(asprintf(&both, "%s%s", text, more) >= 0);
    r = token_form_parse(both, service, &form, &why);
    REQUIRE(r == 0 || (r == -EINVAL && why && !form.scopes.items));
    if (r == 0) {
        REQUIRE(form.scopes.count <= SCOPES_MAX && strlen(form.client) <= IDENTITY_CLIENT_MAX);
        for (const char *at = form.client; *at; at++)
            REQUIRE(*at >= 0x20 && *at <= 0x7e);
    }
    token_form_done(&form);
    return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = strndup(size ? (const char *)data : "", size);

    REQUIRE(text);
    check_credentials(text);
    fuzz_was_accepted = is_accepted(text, "");
    REQUIRE(!is_accepted(text, "&service=other"));
    REQUIRE(!is_accepted(text, "&account=a&account=a"));
    return 0;
}
