#include "registry/access/oidc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "registry/access/rules.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-jwt/maker.h"
#include "tests/unit/scratch.h"

#define LINE(name, more)                                                                           \
    "oidc " name " issuer=https://ci.example audience=registry jwks=keys.json " more "\n"

static void write_keys(const char *kid)
{
    CLEANUP_FREE char *text = maker_make_jwks(kid);

    unlink("keys.json");
    make_file("keys.json", text);
}

/* Rules of these lines, with their verifier. */
static struct rules *open_rules(const char *text)
{
    struct rules *rules = NULL;
    struct oidc *oidc = NULL;
    struct error err = {0};
    char path[300];

    snprintf(path, sizeof(path), "%s/access", scratch_directory());
    if (rules_parse(path, text, strlen(text), &rules, &err) < 0 ||
        oidc_open(rules_get_oidc_rules(rules), path, NULL, NULL, &oidc, &err) < 0)
        fail_msg("%s", err.text);
    rules_set_oidc(rules, oidc);
    return rules;
}

static char *sign(const char *kid, const char *issuer, const char *repository, int life_s)
{
    char header[100], claims[400];
    long long now = (long long)time(NULL);

    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    snprintf(
        claims, sizeof(claims),
        "{\"iss\":\"%s\",\"aud\":\"registry\",\"iat\":%lld,\"exp\":%lld,\"repository\":\"%s\"}",
        issuer, now, now + life_s, repository);
    return maker_sign(header, claims, MAKER_P256, JWT_ES256);
}

/* The principal, "" for an invalid token, "?" for a password. Both calls must agree. */
static const char *principal_of(const struct rules *rules, const char *user, const char *password)
{
    static char name[300];
    CLEANUP(secbuf_done) struct secbuf who = {0}, what = {0};
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL, *again = NULL;
    struct oidc *oidc = rules_get_oidc(rules);
    int r;

    assert_int_equal(secbuf_append(&who, user, strlen(user)), 0);
    assert_int_equal(secbuf_append(&what, password, strlen(password)), 0);
    r = oidc_verify(oidc, &who, &what, &token);
    assert_true(r == 0 || r == OIDC_INVALID || r == OIDC_NO_TOKEN);
    if (r != 0)
        return r == OIDC_INVALID ? "" : "?";
    assert_int_equal(oidc_look_up(oidc, &who, &what, &again), 0);
    assert_ptr_equal(token, again);
    assert_false(token->is_limited);
    snprintf(name, sizeof(name), "%s", token->user);
    return name;
}

static void test_first_line_that_matches_names_the_principal(void **state)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    CLEANUP_FREE char *app = NULL, *other = NULL, *foreign = NULL, *unknown = NULL, *old = NULL;

    (void)state;
    write_keys("k");
    rules = open_rules(LINE("main", "repository=acme/app") LINE("all", "repository=acme/*")
                           LINE("main", "repository=acme/tool"));
    app = sign("k", "https://ci.example", "acme/app", 300);
    other = sign("k", "https://ci.example", "acme/lib", 300);
    foreign = sign("k", "https://ci.example", "evil/app", 300);
    unknown = sign("other", "https://ci.example", "acme/app", 300);
    old = sign("k", "https://ci.example", "acme/app", -100);
    assert_string_equal(principal_of(rules, "x", app), "oidc+main");
    assert_string_equal(principal_of(rules, "", app), "oidc+main");
    assert_string_equal(principal_of(rules, "oidc+main", app), "oidc+main");
    assert_string_equal(principal_of(rules, "oidc+all", app), "oidc+all");
    assert_string_equal(principal_of(rules, "oidc+main", app), "oidc+main");
    assert_string_equal(principal_of(rules, "x", other), "oidc+all");
    assert_string_equal(principal_of(rules, "oidc+main", other), "");
    assert_string_equal(principal_of(rules, "oidc+none", app), "");
    assert_string_equal(principal_of(rules, "x", foreign), "");
    assert_string_equal(principal_of(rules, "x", unknown), "");
    assert_string_equal(principal_of(rules, "x", old), "");
}

static void test_other_issuer_and_other_audience(void **state)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    CLEANUP_FREE char *issuer = NULL, *token = NULL;

    (void)state;
    write_keys("k");
    rules = open_rules(
        "oidc ci issuer=https://ci.example audience=other jwks=keys.json repository=acme/app\n");
    token = sign("k", "https://ci.example", "acme/app", 300);
    issuer = sign("k", "https://ci.example/", "acme/app", 300);
    assert_string_equal(principal_of(rules, "x", token), "");
    assert_string_equal(principal_of(rules, "x", issuer), "");
}

static void test_passwords_are_no_tokens(void **state)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;

    (void)state;
    write_keys("k");
    rules = open_rules(LINE("ci", "repository=acme/app"));
    assert_string_equal(principal_of(rules, "x", "secret"), "?");
    assert_string_equal(principal_of(rules, "x", "eyJ.not.a.token"), "?");
    assert_string_equal(principal_of(rules, "oidc+ci", "secret"), "");
    assert_string_equal(principal_of(rules, "oidc+ci", ""), "");
}

static void test_removed_keys_end_tokens(void **state)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    CLEANUP_FREE char *before = NULL, *after = NULL;

    (void)state;
    write_keys("before");
    rules = open_rules(LINE("ci", "repository=acme/app"));
    before = sign("before", "https://ci.example", "acme/app", 300);
    after = sign("after", "https://ci.example", "acme/app", 300);
    assert_string_equal(principal_of(rules, "x", before), "oidc+ci");
    assert_string_equal(principal_of(rules, "x", after), "");
    write_keys("after");
    assert_string_equal(principal_of(rules, "x", after), "oidc+ci"); /* reads the file */
    assert_string_equal(principal_of(rules, "x", before), "");
    assert_string_equal(principal_of(rules, "x", after), "oidc+ci");
}

static void test_missing_keys_have_the_line(void **state)
{
    static const char text[] = "\n" LINE("ci", "repository=acme/app");
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    struct oidc *oidc = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(rules_parse("access", text, strlen(text), &rules, &err), 0);
    assert_true(oidc_open(rules_get_oidc_rules(rules), "access", NULL, NULL, &oidc, &err) < 0);
    assert_says(&err, "access line 2: ");
    assert_says(&err, "keys.json");
    make_file("keys.json", "{}\n");
    assert_true(oidc_open(rules_get_oidc_rules(rules), "access", NULL, NULL, &oidc, &err) < 0);
    assert_says(&err, "access line 2: keys.json is not a JSON Web Key Set");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_first_line_that_matches_names_the_principal),
        scratch_test(test_other_issuer_and_other_audience),
        scratch_test(test_passwords_are_no_tokens),
        scratch_test(test_removed_keys_end_tokens),
        scratch_test(test_missing_keys_have_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
