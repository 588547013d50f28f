/*
 * Scopes as clients ask for them: any text may come. What is accepted survives the way through a token, names only valid
 * repositories, and does not change if it is asked for twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/scopes.h"
#include "registry/spec/name.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

enum { ALL = RULES_PULL | RULES_PUSH | RULES_DELETE };

static void check_bounds(const struct scopes *scopes)
{
    size_t size = 0;

    REQUIRE(scopes->count <= SCOPES_MAX && scopes->text_size <= SCOPES_TEXT_MAX);
    for (size_t i = 0; i < scopes->count; i++) {
        const struct scope *scope = &scopes->items[i];

        REQUIRE(name_is_repository(scope->name, strlen(scope->name)));
        REQUIRE((scope->actions & ~(unsigned)ALL) == 0);
        REQUIRE(scopes_find(scopes, scope->name) == scope);
        size += strlen(scope->name);
    }
    REQUIRE(size == scopes->text_size);
}

static void check_equal(const struct scopes *one, const struct scopes *other)
{
    REQUIRE(one->count == other->count && one->has_catalog == other->has_catalog);
    for (size_t i = 0; i < one->count; i++) {
        REQUIRE(strcmp(one->items[i].name, other->items[i].name) == 0);
        REQUIRE(one->items[i].actions == other->items[i].actions);
    }
}

static void check_claim(const struct scopes *scopes)
{
    CLEANUP_FREE char *text = scopes_format(scopes);
    CLEANUP(json_freep) struct json *claim = NULL;
    CLEANUP(scopes_done) struct scopes again = {0};

    REQUIRE(text && json_parse_public(text, strlen(text), &claim) == 0);
    REQUIRE(scopes_parse_claim(claim, &again) == 0);
    check_equal(scopes, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(scopes_done) struct scopes scopes = {0}, twice = {0};
    CLEANUP_FREE char *text = strndup(size ? (const char *)data : "", size);
    int r;

    REQUIRE(text);
    r = scopes_add(&scopes, text);
    REQUIRE(r == 0 || r == -E2BIG);
    check_bounds(&scopes);
    check_claim(&scopes);
    fuzz_was_accepted = r == 0;
    if (!fuzz_was_accepted)
        return 0;
    REQUIRE(scopes_add(&twice, text) == 0 && scopes_add(&twice, text) == 0);
    check_equal(&scopes, &twice);
    return 0;
}
