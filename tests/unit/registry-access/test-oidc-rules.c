#include "registry/access/oidc-rules.h"

#include <string.h>

#include "registry/access/rules.h"
#include "tests/unit/check.h"

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"team/app", "team/app", true},
        {"team/app", "team/apps", false},
        {"team/app", "Team/app", false},
        {"", "", true},
        {"*", "", true},
        {"team/*", "team/app", true},
        {"team/*", "team/", true},
        {"team/*", "team/app/more", false},
        {"team/*", "other/team/app", false},
        {"team/**", "team/app/more", true},
        {"**/app", "a/b/app", true},
        {"refs/tags/v*", "refs/tags/v1.2", true},
        {"refs/tags/v*", "refs/tags/v1/x", false},
        {"refs/heads/release-*", "refs/heads/main", false},
        {"repo:acme/*:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true},
        {"repo:acme/*:ref:refs/heads/main", "repo:acme/app:environment:x:ref:refs/heads/main",
         false},
        {"system:serviceaccount:*:builder", "system:serviceaccount:ci:builder", true},
        {"system:serviceaccount:*:builder", "system:serviceaccount:a:b:builder", false},
        {"**a*b", "xaxb/ab", true},
        {"**/x*y", "a/xq/xzy", true},
        {"**/x*y", "a/xq/xz/y", false},
        {"*a*", "bab", true},
        {"*a*", "b/a", false},
        {"***", "a/b:c", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_case(rows[i].pattern,
                    oidc_pattern_matches(rows[i].pattern, rows[i].text) == rows[i].matches);
}

/* A pattern of many asterisks takes no longer than text times pattern. */
static void test_patterns_are_matched_in_short_time(void **state)
{
    char pattern[2001], text[20001];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(pattern); i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[2000] = '\0';
    fill(text, 'a', sizeof(text) - 1);
    text[19999] = 'b';
    assert_false(oidc_pattern_matches(pattern, text));
    memcpy(pattern, "**", 2);
    assert_false(oidc_pattern_matches(pattern, text));
}

#define LINE "oidc ci issuer=https://ci.example audience=registry.example jwks=keys.json "

static bool does_match(const char *line, const char *claims)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    CLEANUP(json_freep) struct json *document = NULL;
    struct error err = {0};

    if (rules_parse("access", line, strlen(line), &rules, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(json_parse_public(claims, strlen(claims), &document), 0);
    assert_int_equal(rules_get_oidc_rules(rules)->count, 1);
    return oidc_rule_matches(&rules_get_oidc_rules(rules)->items[0], document);
}

static void test_claims(void **state)
{
    static const struct {
        const char *line, *claims;
        bool matches;
    } rows[] = {
        {LINE "sub=a", "{\"sub\":\"a\"}", true},
        {LINE "sub=a", "{\"sub\":\"b\"}", false},
        {LINE "sub=a", "{\"Sub\":\"a\"}", false},
        {LINE "sub=a", "{}", false},
        {LINE "sub=a", "{\"sub\":null}", false},
        {LINE "sub=a", "{\"sub\":{\"a\":\"a\"}}", false},
        {LINE "sub=a", "{\"sub\":\"a\\u0000\"}", false},
        {LINE "sub=a ref=b", "{\"sub\":\"a\"}", false},
        {LINE "sub=a ref=b", "{\"sub\":\"a\",\"ref\":\"b\"}", true},
        {LINE "groups=dev", "{\"groups\":[\"ops\",\"dev\"]}", true},
        {LINE "groups=dev", "{\"groups\":[[\"dev\"]]}", false},
        {LINE "groups=dev", "{\"groups\":[]}", false},
        {LINE "project_id=42", "{\"project_id\":42}", true},
        {LINE "project_id=42", "{\"project_id\":42.5}", false},
        {LINE "project_id=42", "{\"project_id\":\"42\"}", true},
        {LINE "ref_protected=true", "{\"ref_protected\":true}", true},
        {LINE "ref_protected=true", "{\"ref_protected\":false}", false},
        {LINE "\"name=a, b\"", "{\"name\":\"a, b\"}", true},
        {LINE "query=a=b", "{\"query\":\"a=b\"}", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_case(rows[i].claims, does_match(rows[i].line, rows[i].claims) == rows[i].matches);
}

static void test_mistakes_have_their_line(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"oidc", "access line 1: the name is missing"},
        {"\n\noidc CI issuer=a audience=b jwks=c sub=d", "access line 3: \"CI\" is not a name"},
        {"oidc ci audience=b jwks=c sub=d", "access line 1: issuer= is missing"},
        {"oidc ci issuer=a jwks=c sub=d", "audience= is missing"},
        {"oidc ci issuer=a audience=b sub=d", "jwks= is missing"},
        {"oidc ci issuer=a audience=b jwks=c", "the line names no claim"},
        {LINE "issuer=b", "issuer is given twice"},
        {LINE "sub=a sub=b", "sub is given twice"},
        {LINE "sub=*", "would match every value"},
        {LINE "sub=**", "would match every value"},
        {LINE "sub=", "is not NAME=VALUE"},
        {LINE "sub", "is not NAME=VALUE"},
        {LINE "=a", "is not NAME=VALUE"},
        {LINE "aud=a", "is always checked"},
        {LINE "exp=1", "is always checked"},
        {LINE "sub=a,b", "a ',' between conditions"},
        {"oidc ci issuer=https://token.actions.githubusercontent.com audience=a jwks=k "
         "ref=refs/heads/main",
         "anybody can get"},
        {"oidc ci issuer=https://gitlab.com audience=a jwks=k ref=main", "anybody can get"},
        {"allow oidc+ci pull a", "no line with oidc defines \"oidc+ci\""},
        {"group team oidc+ci", "no line with oidc defines \"oidc+ci\""},
        {"oidcs a", "a line begins with"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rules *rules = NULL;
        struct error err = {0};

        assert_case(rows[i].text,
                    rules_parse("access", rows[i].text, strlen(rows[i].text), &rules, &err) < 0);
        assert_says(&err, rows[i].says);
    }
}

static void test_principal_is_no_ordinary_user(void **state)
{
    static const char text[] =
        LINE "sub=a\n" LINE
             "sub=b\nallow users pull **\nallow oidc+ci push team/**\nallow anyone pull public\n";
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    struct rules_answer answer;
    struct error err = {0};

    (void)state;
    assert_int_equal(rules_parse("access", text, strlen(text), &rules, &err), 0);
    rules_decide(rules, &(struct rules_question){"oidc+ci", "team/app", RULES_PULL | RULES_PUSH},
                 &answer);
    assert_int_equal(answer.granted, RULES_PUSH);
    rules_decide(rules, &(struct rules_question){"oidc+ci", "public", RULES_PULL}, &answer);
    assert_int_equal(answer.granted, RULES_PULL);
    assert_true(oidc_rules_has_principal(rules_get_oidc_rules(rules), "oidc+ci"));
    assert_false(oidc_rules_has_principal(rules_get_oidc_rules(rules), "oidc+c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_patterns_are_matched_in_short_time),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_mistakes_have_their_line),
        cmocka_unit_test(test_principal_is_no_ordinary_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
