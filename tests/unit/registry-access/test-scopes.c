#include "registry/access/scopes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

/* Adds each text; the claim that comes out. Owned by the caller. */
static char *format(const char *const *texts)
{
    CLEANUP(scopes_done) struct scopes scopes = {0};
    char *claim;

    for (; *texts; texts++)
        assert_int_equal(scopes_add(&scopes, *texts), 0);
    claim = scopes_format(&scopes);
    assert_non_null(claim);
    return claim;
}

#define PULL "{\"type\":\"repository\",\"name\":\"a\",\"actions\":[\"pull\"]}"
#define ALL "{\"type\":\"repository\",\"name\":\"a\",\"actions\":[\"pull\",\"push\",\"delete\"]}"
#define CATALOG "{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}"

static void formats(void **state)
{
    static const struct {
        const char *texts[4], *claim;
    } cases[] = {
        {{NULL}, "[]"},
        {{""}, "[]"},
        {{"   "}, "[]"},
        {{"repository:a:pull"}, "[" PULL "]"},
        {{"  repository:a:pull  "}, "[" PULL "]"},
        {{"repository:a:pull", "repository:a:push repository:a:delete"}, "[" ALL "]"},
        {{"repository:a:*"}, "[" ALL "]"},
        {{"repository:a:pull,,fly,"}, "[" PULL "]"},
        {{"repository:a:"}, "[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[]}]"},
        {{"registry:catalog:*", "repository:a:pull"}, "[" PULL "," CATALOG "]"},
        {{"registry:catalog:pull", "registry:other:*", "registry:catalog"}, "[]"},
        {{"repository:A:pull", "repository:a/../b:pull", "repository::pull"}, "[]"},
        {{"repository:a\":pull", "repository:a", ":", "::"}, "[]"},
        {{"repository:host:5000/a:pull", "repository(plugin):a:pull", "Repository:a:pull"}, "[]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *claim = format(cases[i].texts);

        assert_case(cases[i].texts[0] ? cases[i].texts[0] : "nothing",
                    strcmp(claim, cases[i].claim) == 0);
    }
}

static void reads_what_it_formats(void **state)
{
    static const char *const texts[] = {"repository:a:pull,delete repository:b/c:*",
                                        "repository:d:", "registry:catalog:*", NULL};
    CLEANUP_FREE char *claim = format(texts);
    CLEANUP(json_freep) struct json *json = NULL;
    CLEANUP(scopes_done) struct scopes scopes = {0};
    CLEANUP_FREE char *again = NULL;

    (void)state;
    assert_int_equal(json_parse_public(claim, strlen(claim), &json), 0);
    assert_int_equal(scopes_parse_claim(json, &scopes), 0);
    again = scopes_format(&scopes);
    assert_string_equal(again, claim);
    assert_int_equal(scopes_find(&scopes, "a")->actions, RULES_PULL | RULES_DELETE);
    assert_int_equal(scopes_find(&scopes, "d")->actions, 0);
    assert_null(scopes_find(&scopes, "b"));
}

static void refuses_other_claims(void **state)
{
    static const char *const claims[] = {
        "{}",
        "\"\"",
        "[1]",
        "[{}]",
        "[{\"type\":\"repository\",\"name\":\"a\"}]",
        "[{\"type\":\"repository\",\"name\":\"a\",\"actions\":\"pull\"}]",
        "[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[1]}]",
        "[{\"type\":1,\"name\":\"a\",\"actions\":[]}]",
    };

    (void)state;
    assert_int_equal(scopes_parse_claim(NULL, &(struct scopes){0}), -EBADMSG);
    for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
        CLEANUP(json_freep) struct json *json = NULL;
        CLEANUP(scopes_done) struct scopes scopes = {0};

        assert_int_equal(json_parse_public(claims[i], strlen(claims[i]), &json), 0);
        assert_case(claims[i], scopes_parse_claim(json, &scopes) == -EBADMSG);
    }
}

static void is_bounded(void **state)
{
    CLEANUP(scopes_done) struct scopes many = {0}, large = {0};
    char text[512], name[256];

    (void)state;
    for (int i = 0; i < SCOPES_MAX; i++) {
        snprintf(text, sizeof(text), "repository:r%d:pull", i);
        assert_int_equal(scopes_add(&many, text), 0);
    }
    assert_int_equal(scopes_add(&many, "repository:r0:push"), 0);
    assert_int_equal(scopes_add(&many, "repository:one-more:pull"), -E2BIG);
    fill(name, 'a', 240);
    for (size_t used = 0; used + 243 <= SCOPES_TEXT_MAX; used += 243) {
        snprintf(text, sizeof(text), "repository:%s%03zu:pull", name, used / 243);
        assert_int_equal(scopes_add(&large, text), 0);
    }
    snprintf(text, sizeof(text), "repository:%s999:pull", name);
    assert_int_equal(scopes_add(&large, text), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(reads_what_it_formats),
        cmocka_unit_test(refuses_other_claims),
        cmocka_unit_test(is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
