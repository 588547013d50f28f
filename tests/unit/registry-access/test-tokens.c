/* Tokens on a storage in memory, whose clock the cases set. */
#include "registry/access/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/identity-pruning.h"
#include "registry/access/private-key.h"
#include "registry/access/signing-keys.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage/memory-storage.h"

enum { DAY_S = 24 * 3600 };

/* --- a server -------------------------------------------------------------------------------- */

/* The stamp of alice's password; nobody else has one. */
static char alice_stamp;

static void make_stamp(char letter, unsigned char ret[TOKEN_STAMP_SIZE])
{
    fill((char *)ret, letter, TOKEN_STAMP_SIZE - 1);
}

static bool find_stamp(void *context, const char *user, unsigned char ret[TOKEN_STAMP_SIZE])
{
    (void)context;
    if (strcmp(user, "alice") != 0)
        return false;
    make_stamp(alice_stamp, ret);
    return true;
}

static struct tokens *open_service(struct storage *storage, const char *service)
{
    const struct tokens_options options = {
        .storage = storage, .service = service, .find_stamp = find_stamp};
    struct tokens *tokens = NULL;
    struct error err = {0};

    alice_stamp = 'a';
    assert_int_equal(tokens_open(&options, &tokens, &err), 0);
    return tokens;
}

static struct tokens *open_tokens(struct storage *storage)
{
    return open_service(storage, "here");
}

static void issue(struct tokens *tokens, const char *user, const char *scope, struct secbuf *ret)
{
    CLEANUP(scopes_done) struct scopes scopes = {0};
    unsigned char stamp[TOKEN_STAMP_SIZE];
    const struct token_grant grant = {.user = user,
                                      .scopes = &scopes,
                                      .issued_s = tokens_now(tokens),
                                      .stamp = find_stamp(NULL, user, stamp) ? stamp : NULL};

    secbuf_done(ret);
    assert_int_equal(scopes_add(&scopes, scope), 0);
    assert_int_equal(tokens_issue(tokens, &grant, ret), 0);
}

/* 0 if the token is valid, for the user. */
static int verify(struct tokens *tokens, enum token_kind kind, const struct secbuf *text,
                  const char *user)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    struct error err = {0};
    int r = tokens_verify(tokens, kind, text, "192.0.2.1", &token, &err);

    assert_true(r >= 0);
    if (r == 0)
        assert_string_equal(token->user, user);
    return r;
}

static int look_up(struct tokens *tokens, enum token_kind kind, const struct secbuf *text)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;

    return tokens_look_up(tokens, kind, text, &token);
}

static int log_in(struct tokens *tokens, const char *user, const char *client, struct secbuf *ret)
{
    unsigned char stamp[TOKEN_STAMP_SIZE];
    const struct token_login login = {
        .user = user, .client = client, .address = "192.0.2.1", .stamp = stamp};
    struct error err = {0};

    make_stamp(alice_stamp, stamp);
    secbuf_done(ret);
    return tokens_log_in(tokens, &login, ret, &err);
}

/* --- access tokens --------------------------------------------------------------------------- */

static void gives_scopes_for_some_minutes(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf text = {0};
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    struct error err = {0};

    (void)state;
    issue(tokens, "alice", "repository:team/app:pull registry:catalog:*", &text);
    assert_int_equal(look_up(tokens, TOKEN_ACCESS, &text), TOKENS_WOULD_WAIT);
    assert_int_equal(tokens_verify(tokens, TOKEN_ACCESS, &text, "", &token, &err), 0);
    assert_true(token->is_limited && token->has_stamp && token->scopes.has_catalog);
    assert_int_equal(token->scopes.count, 1);
    assert_int_equal(scopes_find(&token->scopes, "team/app")->actions, RULES_PULL);
    assert_int_equal(look_up(tokens, TOKEN_ACCESS, &text), 0);
    assert_int_equal(look_up(tokens, TOKEN_IDENTITY, &text), TOKENS_WOULD_WAIT);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &text, "alice"), TOKENS_INVALID);
    memory_storage_pass_time(storage, TOKENS_LIFE_S);
    assert_int_equal(look_up(tokens, TOKEN_ACCESS, &text), 0); /* clocks may differ by a minute */
    memory_storage_pass_time(storage, 61);
    assert_int_equal(look_up(tokens, TOKEN_ACCESS, &text), TOKENS_INVALID);
    assert_int_equal(verify(tokens, TOKEN_ACCESS, &text, "alice"), TOKENS_INVALID);
    tokens_close(tokens);
    storage_close(storage);
}

static void ends_with_the_password(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf text = {0}, anonymous = {0}, identity = {0};

    (void)state;
    issue(tokens, "alice", "", &text);
    issue(tokens, "", "", &anonymous);
    assert_int_equal(log_in(tokens, "alice", "docker", &identity), 0);
    assert_int_equal(verify(tokens, TOKEN_ACCESS, &text, "alice"), 0);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), 0);
    assert_int_equal(look_up(tokens, TOKEN_IDENTITY, &identity), 0);
    alice_stamp = 'b';
    assert_int_equal(look_up(tokens, TOKEN_ACCESS, &text), TOKENS_INVALID);
    assert_int_equal(verify(tokens, TOKEN_ACCESS, &text, "alice"), TOKENS_INVALID);
    assert_int_equal(look_up(tokens, TOKEN_IDENTITY, &identity), TOKENS_WOULD_WAIT);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), TOKENS_INVALID);
    assert_int_equal(verify(tokens, TOKEN_ACCESS, &anonymous, ""), 0);
    tokens_close(tokens);
    storage_close(storage);
}

/* The password changes after it was checked, and before the tokens are made. */
static void a_token_for_the_old_password_is_invalid(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf text = {0}, identity = {0};
    unsigned char proved[TOKEN_STAMP_SIZE];
    const struct scopes scopes = {0};
    const struct token_grant grant = {
        .user = "alice", .scopes = &scopes, .stamp = proved, .issued_s = tokens_now(tokens)};
    const struct token_login login = {
        .user = "alice", .client = "docker", .address = "192.0.2.1", .stamp = proved};
    struct error err = {0};

    (void)state;
    make_stamp('a', proved);
    alice_stamp = 'b';
    assert_int_equal(tokens_issue(tokens, &grant, &text), 0);
    assert_int_equal(verify(tokens, TOKEN_ACCESS, &text, "alice"), TOKENS_INVALID);
    assert_int_equal(tokens_log_in(tokens, &login, &identity, &err), 0);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), TOKENS_INVALID);
    tokens_close(tokens);
    storage_close(storage);
}

static void refuses_tokens_of_others(void **state)
{
    struct storage *storage = memory_storage_new(), *other_storage = memory_storage_new();
    struct tokens *here = open_tokens(storage), *there = open_service(storage, "there");
    struct tokens *elsewhere = open_tokens(other_storage);
    CLEANUP(secbuf_done) struct secbuf text = {0}, identity = {0};

    (void)state;
    issue(there, "alice", "", &text);
    assert_int_equal(verify(there, TOKEN_ACCESS, &text, "alice"), 0);
    assert_int_equal(verify(here, TOKEN_ACCESS, &text, "alice"), TOKENS_INVALID);
    issue(elsewhere, "alice", "", &text);
    assert_int_equal(verify(here, TOKEN_ACCESS, &text, "alice"), TOKENS_INVALID);
    assert_int_equal(log_in(elsewhere, "alice", "docker", &identity), 0);
    assert_int_equal(verify(here, TOKEN_IDENTITY, &identity, "alice"), TOKENS_INVALID);
    for (size_t i = 0; i < identity.size; i++) { /* whatever is changed in it */
        identity.data[i] ^= 1;
        assert_int_equal(verify(elsewhere, TOKEN_IDENTITY, &identity, "alice"), TOKENS_INVALID);
        identity.data[i] ^= 1;
    }
    assert_int_equal(verify(elsewhere, TOKEN_IDENTITY, &identity, "alice"), 0);
    tokens_close(here);
    tokens_close(there);
    tokens_close(elsewhere);
    storage_close(storage);
    storage_close(other_storage);
}

static void names_only_users_in_utf8(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf text = {0};
    const struct scopes scopes = {0};

    (void)state;
    issue(tokens, "J\xc3\xbcrgen <\"\\>", "", &text);
    assert_int_equal(verify(tokens, TOKEN_ACCESS, &text, "J\xc3\xbcrgen <\"\\>"), 0);
    assert_int_equal(
        tokens_issue(tokens, &(struct token_grant){.user = "a\xff", .scopes = &scopes}, &text),
        TOKENS_NAME_UNUSABLE);
    assert_int_equal(log_in(tokens, "a\xff", "docker", &text), TOKENS_NAME_UNUSABLE);
    assert_int_equal(log_in(tokens, "bob", "docker", &text), 0);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &text, "bob"),
                     TOKENS_INVALID); /* there is no such user */
    tokens_close(tokens);
    storage_close(storage);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void refresh(struct tokens *tokens)
{
    struct error err = {0};

    assert_int_equal(tokens_refresh(tokens, &err), 0);
}

static size_t count_keys(struct storage *storage)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct error err = {0};

    assert_int_equal(storage_list(storage, PRIVATE_KEYS "", NULL, SIZE_MAX, &list, &err), 0);
    return list.count - 1; /* the one of identity tokens */
}

/* Two servers, of which one learns of a new key later. No token is ever refused. */
static void rotates_without_a_break(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *one = open_tokens(storage), *other = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf of_one = {0}, of_other = {0};
    int64_t begin_s = tokens_now(one);
    size_t most = 0;

    (void)state;
    while (tokens_now(one) < begin_s + 70 * DAY_S) {
        refresh(one);
        issue(one, "alice", "", &of_one);
        issue(other, "alice", "", &of_other);
        assert_int_equal(verify(other, TOKEN_ACCESS, &of_one, "alice"), 0);
        assert_int_equal(verify(one, TOKEN_ACCESS, &of_other, "alice"), 0);
        most = count_keys(storage) > most ? count_keys(storage) : most;
        refresh(other); /* so the other one learns of a new key a minute later */
        /* Nothing happens while there is one key. */
        memory_storage_pass_time(storage,
                                 count_keys(storage) == 1 ? DAY_S / 4 : SIGNING_KEYS_REFRESH_S);
        if (count_keys(storage) > 1) {
            assert_int_equal(verify(one, TOKEN_ACCESS, &of_other, "alice"), 0);
            assert_int_equal(verify(other, TOKEN_ACCESS, &of_one, "alice"), 0);
        }
    }
    assert_int_equal(most, 2);
    assert_int_equal(count_keys(storage), 1); /* the old one is gone */
    tokens_close(one);
    tokens_close(other);
    storage_close(storage);
}

/* Two servers: one removes the old keys, the other one follows when it reads the keys again. */
static void distrusts_old_keys_at_once(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *one = open_tokens(storage), *other = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf old = {0}, fresh = {0}, identity = {0};
    struct signing_keys *keys = NULL;
    struct error err = {0};

    (void)state;
    issue(one, "alice", "", &old);
    assert_int_equal(log_in(one, "alice", "docker", &identity), 0);
    assert_int_equal(verify(one, TOKEN_ACCESS, &old, "alice"), 0);
    assert_int_equal(verify(other, TOKEN_ACCESS, &old, "alice"), 0);
    assert_int_equal(signing_keys_open(storage, &keys, &err), 0);
    assert_int_equal(signing_keys_distrust(keys, &err), 0);
    signing_keys_close(keys);
    assert_int_equal(count_keys(storage), 1);
    assert_int_equal(look_up(other, TOKEN_ACCESS, &old), 0); /* not yet known */
    refresh(one);
    refresh(other);
    assert_int_equal(look_up(other, TOKEN_ACCESS, &old),
                     TOKENS_WOULD_WAIT); /* although it was remembered */
    assert_int_equal(verify(one, TOKEN_ACCESS, &old, "alice"), TOKENS_INVALID);
    assert_int_equal(verify(other, TOKEN_ACCESS, &old, "alice"), TOKENS_INVALID);
    issue(one, "alice", "", &fresh);
    assert_int_equal(verify(other, TOKEN_ACCESS, &fresh, "alice"), 0);
    refresh(other); /* nothing has changed */
    assert_int_equal(look_up(other, TOKEN_ACCESS, &fresh), 0);
    assert_int_equal(verify(other, TOKEN_IDENTITY, &identity, "alice"), 0);
    tokens_close(one);
    tokens_close(other);
    storage_close(storage);
}

static void *open_in_thread(void *storage)
{
    return open_tokens(storage);
}

static void agrees_on_the_first_key(void **state)
{
    struct storage *storage = memory_storage_new();
    pthread_t threads[8];
    struct tokens *servers[ARRAY_SIZE(threads)];
    CLEANUP(secbuf_done) struct secbuf text = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, storage), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_join(threads[i], (void **)&servers[i]), 0);
    assert_int_equal(count_keys(storage), 1);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        issue(servers[i], "alice", "", &text);
        for (size_t j = 0; j < ARRAY_SIZE(threads); j++)
            assert_int_equal(verify(servers[j], TOKEN_ACCESS, &text, "alice"), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        tokens_close(servers[i]);
    storage_close(storage);
}

static void says_which_key_is_damaged(void **state)
{
    static const char *const names[] = {"signing-1", "identity"};
    static const char *const texts[] = {"", "x", "created 1\n", "created 1\nno PEM", "no line"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names) * ARRAY_SIZE(texts); i++) {
        const char *name = names[i % ARRAY_SIZE(names)], *text = texts[i / ARRAY_SIZE(names)];
        struct storage *storage = memory_storage_new();
        const struct tokens_options options = {
            .storage = storage, .service = "here", .find_stamp = find_stamp};
        struct tokens *tokens = open_tokens(storage);
        struct error err = {0};
        char key[64];

        tokens_close(tokens);
        snprintf(key, sizeof(key), PRIVATE_KEYS "%s", name);
        memory_storage_set(storage, key, text, strlen(text));
        assert_true(tokens_open(&options, &tokens, &err) < 0);
        assert_says(&err, key);
        storage_close(storage);
    }
}

/* --- identity tokens ------------------------------------------------------------------------- */

struct tally {
    size_t all, docker;
    int64_t used_s;
    struct identity_record last;
};

static int count_record(void *context, const struct identity_record *record, struct error *err)
{
    struct tally *tally = context;

    (void)err;
    tally->all++;
    tally->docker += strcmp(record->client, "docker") == 0;
    tally->used_s = record->used_s;
    tally->last = *record;
    return 0;
}

static struct tally count_records(struct storage *storage)
{
    struct identity_tokens *tokens = NULL;
    struct tally tally = {0};
    struct error err = {0};

    assert_int_equal(identity_tokens_open(storage, &tokens, &err), 0);
    assert_int_equal(identity_tokens_for_each(tokens, count_record, &tally, &err), 0);
    identity_tokens_close(tokens);
    return tally;
}

static void an_identity_token_is_valid_while_it_is_used(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf identity = {0};
    int64_t first;

    (void)state;
    assert_int_equal(log_in(tokens, "alice", "docker", &identity), 0);
    assert_true(identity_token_has_form(&identity));
    assert_int_equal(count_records(storage).used_s, 0);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), 0);
    first = count_records(storage).used_s;
    assert_true(first > 0);
    memory_storage_pass_time(storage, 500); /* too early to note it again */
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), 0);
    assert_int_equal(count_records(storage).used_s, first);
    for (int i = 0; i < 5; i++) {
        memory_storage_pass_time(storage, 80 * DAY_S);
        assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), 0);
    }
    memory_storage_pass_time(storage, 91 * DAY_S);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), TOKENS_INVALID);
    tokens_close(tokens);
    storage_close(storage);
}

static void recording_a_use_does_not_undo_a_revocation(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    struct identity_tokens *identities = NULL;
    CLEANUP(secbuf_done) struct secbuf identity = {0};
    struct identity_record record;
    struct error err = {0};

    (void)state;
    assert_int_equal(log_in(tokens, "alice", "docker", &identity), 0);
    assert_int_equal(identity_tokens_open(storage, &identities, &err), 0);
    assert_int_equal(identity_tokens_find(identities, &identity, &record, &err), 0);
    assert_int_equal(identity_tokens_revoke(identities, &record, &err), 0);
    assert_int_equal(identity_tokens_revoke(identities, &record, &err), 0);
    identity_tokens_note_use(identities, &record, "192.0.2.1");
    assert_int_equal(count_records(storage).all, 0);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &identity, "alice"), TOKENS_INVALID);
    identity_tokens_close(identities);
    tokens_close(tokens);
    storage_close(storage);
}

static void a_flood_displaces_only_its_own_tokens(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf docker = {0}, used = {0}, fresh = {0}, flood = {0};
    struct tally tally;

    (void)state;
    assert_int_equal(log_in(tokens, "alice", "docker", &docker), 0);
    assert_int_equal(log_in(tokens, "alice", "regclient", &used), 0);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &used, "alice"), 0);
    for (int i = 0; i < 3 * IDENTITY_PER_CLIENT; i++) {
        memory_storage_pass_time(storage, 1);
        assert_int_equal(log_in(tokens, "alice", "regclient",
                                i == 3 * IDENTITY_PER_CLIENT - 2 ? &fresh : &flood),
                         0);
        if (i % 10 == 0)
            assert_true(count_records(storage).all <= IDENTITY_PER_CLIENT + 1);
    }
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &docker, "alice"), 0);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &used, "alice"),
                     0); /* those that were never used go first */
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &fresh, "alice"), 0);
    tally = count_records(storage);
    assert_int_equal(tally.docker, 1);
    for (int i = 0; i < IDENTITY_PER_USER + 20; i++) { /* under ever new names of clients */
        char client[32];

        snprintf(client, sizeof(client), "client-%d", i);
        assert_int_equal(log_in(tokens, "alice", client, &flood), 0);
    }
    assert_true(count_records(storage).all <= IDENTITY_PER_USER);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &docker, "alice"), 0);
    tokens_close(tokens);
    storage_close(storage);
}

static int go_on(void *object, struct error *err)
{
    size_t *left = object;

    if (*left == 0)
        return error_set(err, ECANCELED, "stopped");
    (*left)--;
    return 0;
}

static void records_of_unused_tokens_are_removed(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf unused = {0}, used = {0};
    struct error err = {0};
    size_t steps = SIZE_MAX, count;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(log_in(tokens, "alice", "docker", &unused), 0);
    assert_int_equal(log_in(tokens, "alice", "podman", &used), 0);
    memory_storage_pass_time(storage, 60 * DAY_S);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &used, "alice"), 0);
    assert_int_equal(tokens_prune(tokens, go_on, &steps, &count, &err), 0);
    assert_int_equal(count, 0);
    memory_storage_pass_time(storage, 31 * DAY_S);
    steps = 1;
    assert_int_equal(tokens_prune(tokens, go_on, &steps, &count, &err), -ECANCELED);
    assert_true(count <= 1);
    steps = SIZE_MAX;
    assert_int_equal(tokens_prune(tokens, go_on, &steps, &count, &err), 0);
    assert_int_equal(count_records(storage).all, 1);
    assert_int_equal(verify(tokens, TOKEN_IDENTITY, &used, "alice"), 0);
    tokens_close(tokens);
    storage_close(storage);
}

static void removes_records_only_after_the_clock_was_steady(void **state)
{
    const int64_t hour_s = 3600, day_s = 24 * hour_s, year_s = 365 * day_s;
    struct identity_pruning pruning;
    int64_t wall_s = 1000000000, boot_s = 50;

    (void)state;
    identity_pruning_start(&pruning, wall_s, boot_s * 1000);
    assert_false(
        identity_pruning_is_due(&pruning, wall_s + hour_s - 1, (boot_s + hour_s - 1) * 1000));
    assert_true(identity_pruning_is_due(&pruning, wall_s + hour_s, (boot_s + hour_s) * 1000));
    pruning.done_ms = (boot_s + hour_s) * 1000;
    assert_false(identity_pruning_is_due(&pruning, wall_s + day_s, (boot_s + day_s) * 1000));
    assert_true(identity_pruning_is_due(&pruning, wall_s + day_s + hour_s,
                                        (boot_s + day_s + hour_s) * 1000));
    /* The clock jumps a year ahead, or back. */
    for (int sign = -1; sign <= 1; sign += 2) {
        wall_s += sign * year_s;
        boot_s += 2 * day_s;
        assert_false(identity_pruning_is_due(&pruning, wall_s, boot_s * 1000));
        assert_false(
            identity_pruning_is_due(&pruning, wall_s + hour_s / 2, (boot_s + hour_s / 2) * 1000));
        assert_true(identity_pruning_is_due(&pruning, wall_s + hour_s, (boot_s + hour_s) * 1000));
    }
}

/* A damaged record must not keep the others from being listed and revoked. */
static void a_damaged_record_is_listed_and_revoked(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    struct identity_tokens *identities = NULL;
    CLEANUP(secbuf_done) struct secbuf identity = {0};
    struct error err = {0};
    struct tally tally;

    (void)state;
    assert_int_equal(log_in(tokens, "alice", "docker", &identity), 0);
    tally = count_records(storage);
    memory_storage_set(storage, tally.last.key, "{}", 2);
    tally = count_records(storage);
    assert_true(tally.all == 1 && tally.last.is_damaged);
    assert_int_equal(identity_tokens_open(storage, &identities, &err), 0);
    assert_int_equal(identity_tokens_revoke(identities, &tally.last, &err), 0);
    identity_tokens_close(identities);
    assert_int_equal(count_records(storage).all, 0);
    tokens_close(tokens);
    storage_close(storage);
}

static void long_names_of_clients_are_cut(void **state)
{
    struct storage *storage = memory_storage_new();
    struct tokens *tokens = open_tokens(storage);
    CLEANUP(secbuf_done) struct secbuf identity = {0};
    char client[200];

    (void)state;
    fill(client, 'c', sizeof(client) - 1);
    assert_int_equal(log_in(tokens, "alice", client, &identity), 0);
    assert_int_equal(strlen(count_records(storage).last.client), IDENTITY_CLIENT_MAX);
    assert_int_equal(strlen(count_records(storage).last.id), IDENTITY_ID_SIZE);
    tokens_close(tokens);
    storage_close(storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_scopes_for_some_minutes),
        cmocka_unit_test(ends_with_the_password),
        cmocka_unit_test(a_token_for_the_old_password_is_invalid),
        cmocka_unit_test(refuses_tokens_of_others),
        cmocka_unit_test(names_only_users_in_utf8),
        cmocka_unit_test(rotates_without_a_break),
        cmocka_unit_test(distrusts_old_keys_at_once),
        cmocka_unit_test(agrees_on_the_first_key),
        cmocka_unit_test(says_which_key_is_damaged),
        cmocka_unit_test(an_identity_token_is_valid_while_it_is_used),
        cmocka_unit_test(recording_a_use_does_not_undo_a_revocation),
        cmocka_unit_test(a_flood_displaces_only_its_own_tokens),
        cmocka_unit_test(records_of_unused_tokens_are_removed),
        cmocka_unit_test(removes_records_only_after_the_clock_was_steady),
        cmocka_unit_test(a_damaged_record_is_listed_and_revoked),
        cmocka_unit_test(long_names_of_clients_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
