/* Access tokens of another server, whose key set is a file. */
#include "registry/access/external-tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/registry-jwt/maker.h"
#include "tests/unit/scratch.h"

#define ACCESS(actions)                                                                            \
    ",\"access\":[{\"type\":\"repository\",\"name\":\"team/app\",\"actions\":[" actions "]}]"
#define HEADER "{\"alg\":\"ES256\",\"kid\":\"k\"}"

static unsigned warnings;

static void count_warning(void *context, const char *text)
{
    (void)context;
    (void)text;
    warnings++;
}

static void write_keys(const char *kid)
{
    CLEANUP_FREE char *text = maker_make_jwks(kid);

    unlink("keys.json");
    make_file("keys.json", text);
}

static struct external_tokens *open_tokens(const char *algorithm)
{
    const struct external_tokens_options options = {
        .service = "registry",
        .issuer = "auth",
        .key_set = "keys.json",
        .algorithms = algorithm ? &algorithm : NULL,
        .algorithm_count = algorithm != NULL,
        .warn = count_warning,
    };
    struct external_tokens *tokens = NULL;
    struct error err = {0};

    if (external_tokens_open(&options, &tokens, &err) < 0)
        fail_msg("%s", err.text);
    return tokens;
}

static void close_tokens(struct external_tokens **tokens)
{
    external_tokens_close(*tokens);
}

/* A token with these members after iss, aud and exp. */
static char *sign_claims(const char *header, const char *issuer, const char *service, int life_s,
                         const char *more)
{
    char claims[800];

    snprintf(claims, sizeof(claims), "{\"iss\":\"%s\",\"aud\":\"%s\",\"exp\":%lld%s}", issuer,
             service, (long long)time(NULL) + life_s, more);
    return maker_sign(header, claims, MAKER_P256, JWT_ES256);
}

static char *sign(const char *more)
{
    return sign_claims(HEADER, "auth", "registry", 300, more);
}

/* 0 with the token, or the outcome. A second look, from memory, must agree. */
static int verify(struct external_tokens *tokens, const char *text, struct verified_token **ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *again = NULL;
    CLEANUP(secbuf_done) struct secbuf what = {0};
    int r;

    assert_int_equal(secbuf_append(&what, text, strlen(text)), 0);
    r = external_tokens_verify(tokens, &what, ret);
    if (r == 0) {
        assert_int_equal(external_tokens_look_up(tokens, &what, &again), 0);
        assert_ptr_equal(again, *ret);
    }
    return r;
}

/* Signs, verifies, and frees. */
static int outcome_of(struct external_tokens *tokens, char *signed_text)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    CLEANUP_FREE char *text = signed_text;

    return verify(tokens, text, &token);
}

static void a_token_gives_what_it_lists(void **state)
{
    CLEANUP(close_tokens) struct external_tokens *tokens = NULL;
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL, *bare = NULL;
    CLEANUP_FREE char *text = NULL, *without = NULL;

    (void)state;
    write_keys("k");
    tokens = open_tokens(NULL);
    text = sign(",\"sub\":\"alice\"" ACCESS("\"pull\",\"fly\""));
    assert_int_equal(verify(tokens, text, &token), 0);
    assert_string_equal(token->user, "alice");
    assert_true(token->is_limited && !token->scopes.has_catalog);
    assert_int_equal(token->scopes.count, 1);
    assert_int_equal(scopes_find(&token->scopes, "team/app")->actions, RULES_PULL);
    without = sign("");
    assert_int_equal(verify(tokens, without, &bare), 0);
    assert_string_equal(bare->user, "");
    assert_true(bare->is_limited && bare->scopes.count == 0);
}

static void looks_at_memory_only(void **state)
{
    CLEANUP(close_tokens) struct external_tokens *tokens = NULL;
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    CLEANUP(secbuf_done) struct secbuf what = {0};
    CLEANUP_FREE char *text = NULL;

    (void)state;
    write_keys("k");
    tokens = open_tokens(NULL);
    assert_int_equal(external_tokens_look_up(tokens, &what, &token),
                     EXTERNAL_TOKENS_INVALID); /* empty */
    text = sign("");
    assert_int_equal(secbuf_append(&what, text, strlen(text)), 0);
    assert_int_equal(external_tokens_look_up(tokens, &what, &token), EXTERNAL_TOKENS_WOULD_WAIT);
    while (what.size <= JWT_SIZE_MAX)
        assert_int_equal(secbuf_append(&what, "A", 1), 0);
    assert_int_equal(external_tokens_look_up(tokens, &what, &token), EXTERNAL_TOKENS_INVALID);
    assert_int_equal(external_tokens_verify(tokens, &what, &token), EXTERNAL_TOKENS_INVALID);
}

static void refuses_what_is_not_for_it(void **state)
{
    static const char *const malformed[] = {
        ",\"sub\":1",
        ",\"access\":{}",
        ",\"access\":[1]",
        ",\"access\":\"*\"",
        ",\"nbf\":99999999999",
        ",\"access\":[{\"type\":\"repository\",\"name\":\"team/app\",\"actions\":\"pull\"}]",
        ",\"iss\":\"auth\"",
        ",\"access\":[{\"type\":\"repository\",\"name\":\"team/app\"}]",
    };
    CLEANUP(close_tokens) struct external_tokens *tokens = NULL;
    char user[300], claim[400];

    (void)state;
    write_keys("k");
    tokens = open_tokens(NULL);
    assert_int_equal(outcome_of(tokens, sign_claims(HEADER, "other", "registry", 300, "")),
                     EXTERNAL_TOKENS_INVALID);
    assert_int_equal(outcome_of(tokens, sign_claims(HEADER, "auth", "other", 300, "")),
                     EXTERNAL_TOKENS_INVALID);
    assert_int_equal(outcome_of(tokens, sign_claims(HEADER, "auth", "registry", -100, "")),
                     EXTERNAL_TOKENS_INVALID);
    assert_int_equal(outcome_of(tokens, sign_claims("{\"alg\":\"ES256\",\"kid\":\"x\"}", "auth",
                                                    "registry", 300, "")),
                     EXTERNAL_TOKENS_INVALID);
    assert_int_equal(
        outcome_of(tokens, sign_claims("{\"alg\":\"ES256\"}", "auth", "registry", 300, "")),
        EXTERNAL_TOKENS_INVALID); /* which key? */
    assert_int_equal(outcome_of(tokens, strdup("a.b.c")), EXTERNAL_TOKENS_INVALID);
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
        if (outcome_of(tokens, sign(malformed[i])) != EXTERNAL_TOKENS_INVALID)
            fail_msg("accepted: %s", malformed[i]);
    fill(user, 'u', TOKEN_USER_MAX + 1);
    snprintf(claim, sizeof(claim), ",\"sub\":\"%s\"", user);
    assert_int_equal(outcome_of(tokens, sign(claim)), EXTERNAL_TOKENS_INVALID);
    assert_int_equal(outcome_of(tokens, sign("")), 0);
}

static void accepts_only_configured_algorithms(void **state)
{
    static const char *const unknown[] = {"none", "HS256", "es256", ""};
    CLEANUP(close_tokens) struct external_tokens *right = NULL, *wrong = NULL;
    struct external_tokens *tokens = NULL;

    (void)state;
    write_keys("k");
    right = open_tokens("ES256");
    wrong = open_tokens("RS256");
    assert_int_equal(outcome_of(right, sign("")), 0);
    assert_int_equal(outcome_of(wrong, sign("")), EXTERNAL_TOKENS_INVALID);
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        const struct external_tokens_options options = {.service = "registry",
                                                        .issuer = "auth",
                                                        .key_set = "keys.json",
                                                        .algorithms = &unknown[i],
                                                        .algorithm_count = 1};
        struct error err = {0};

        assert_int_equal(external_tokens_open(&options, &tokens, &err), -ENOTSUP);
        assert_says(&err, "is not supported");
    }
}

static void a_removed_key_ends_its_tokens(void **state)
{
    CLEANUP(close_tokens) struct external_tokens *tokens = NULL;
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL, *later = NULL;
    CLEANUP_FREE char *text = NULL;
    struct error err = {0};

    (void)state;
    write_keys("k");
    tokens = open_tokens(NULL);
    text = sign("");
    assert_int_equal(verify(tokens, text, &token), 0);
    unlink("keys.json");
    make_file("keys.json", "{\"keys\": broken\n");
    warnings = 0;
    assert_int_equal(verify(tokens, text, &later), 0); /* the keys stay in force */
    assert_int_equal(warnings, 1);
    assert_true(external_tokens_reload(tokens, &err) < 0);
    assert_says(&err, "keys.json");
    write_keys("other");
    assert_int_equal(outcome_of(tokens, strdup(text)), EXTERNAL_TOKENS_INVALID);
    write_keys("k");
    assert_int_equal(external_tokens_reload(tokens, &err), 0);
    assert_int_equal(outcome_of(tokens, strdup(text)), 0);
}

static void needs_its_files(void **state)
{
    const struct external_tokens_options options = {
        .service = "registry", .issuer = "auth", .certificates = "missing.pem"};
    struct external_tokens *tokens = NULL;
    struct error err = {0};

    (void)state;
    assert_true(external_tokens_open(&options, &tokens, &err) < 0);
    assert_says(&err, "missing.pem");
    external_tokens_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_token_gives_what_it_lists),
        scratch_test(looks_at_memory_only),
        scratch_test(refuses_what_is_not_for_it),
        scratch_test(accepts_only_configured_algorithms),
        scratch_test(a_removed_key_ends_its_tokens),
        scratch_test(needs_its_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
