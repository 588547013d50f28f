/* Keys and the agent, with a separate home directory and the real gpg. */
#include "gpg/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/process.h"
#include "gpg/agent-conf.h"
#include "gpg/agent.h"
#include "gpg/encrypt.h"
#include "gpg/query.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static void run(const char *command)
{
    char output[4096];
    int status = 0;

    if (process_run((const char *const[]){"sh", "-c", command, NULL}, 60, output, sizeof(output), &status) < 0 || status != 0)
        fail_msg("%s: %d: %s", command, status, output);
}

static int set_up(void **state)
{
    int r = scratch_set_up(state);

    make_directory("g");
    setenv("GNUPGHOME", scratch_directory(), 1);
    run("chmod 700 . && echo no-auto-key-locate > gpg.conf && echo disable-dirmngr >> gpg.conf");
    return r;
}

static struct gpg_context *start(void)
{
    struct gpg_context *gpg;
    struct gpg_options options = {0};
    struct error err = {0};

    if (gpg_context_new(&options, &gpg, &err) < 0)
        fail_msg("%s", err.text);
    return gpg;
}

static struct gpg_keys find(struct gpg_context *gpg, const char *pattern, bool is_secret_only)
{
    struct gpg_keys keys;
    struct error err = {0};

    if (gpg_keys_find(gpg, pattern, is_secret_only, &keys, &err) < 0)
        fail_msg("%s", err.text);
    return keys;
}

static void end_agent(void)
{
    run("gpgconf --kill all");
}

static void an_empty_keyring_is_not_a_failure(void **state)
{
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = start();
    CLEANUP(gpg_keys_done) struct gpg_keys keys = find(gpg, NULL, true);

    (void)state;
    assert_int_equal(keys.count, 0);
    end_agent();
}

static void a_new_key_can_be_used_at_once(void **state)
{
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = start();
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    CLEANUP(secbuf_done) struct secbuf plain = {0}, message = {0};
    char fingerprint[GPG_FINGERPRINT_SIZE], ids[GPG_FINGERPRINT_SIZE + 1];
    struct gpg_agent_key known;
    struct error err = {0};
    uint64_t count;

    (void)state;
    if (gpg_key_generate(gpg, "Test <test@example.com>", false, fingerprint, &err) < 0)
        fail_msg("%s", err.text);
    keys = find(gpg, NULL, true);
    assert_int_equal(keys.count, 1);
    assert_string_equal(keys.items[0].fingerprint, fingerprint);
    assert_string_equal(keys.items[0].user_id, "Test <test@example.com>");
    assert_string_equal(keys.items[0].algorithm, "cv25519");
    assert_int_equal(keys.items[0].expires_s, 0);
    assert_int_equal(keys.items[0].problem, GPG_KEY_USABLE);
    assert_true(keys.items[0].has_secret);
    snprintf(ids, sizeof(ids), "%s\n", fingerprint);
    assert_int_equal(secbuf_append(&plain, "x", 1), 0);
    assert_int_equal(gpg_encrypt(gpg, ids, "test", &plain, &message, &err), 0);
    assert_int_equal(gpg_agent_find_key(keys.items[0].keygrip, &known, &err), 0);
    assert_false(known.is_protected || known.is_on_card);
    assert_int_equal(gpg_agent_get_s2k_count(keys.items[0].keygrip, &count, &err), GPG_AGENT_NO_KEY);
    assert_int_equal(gpg_agent_find_key("0123456789012345678901234567890123456789", &known, &err), GPG_AGENT_NO_KEY);
    assert_true(gpg_key_generate(gpg, "Test\n<test@example.com>", false, fingerprint, &err) < 0);
    end_agent();
}

/* A line of the script makes a key "name@x" in that state. */
static void the_reason_of_an_unusable_key_is_found(void **state)
{
    static const struct { const char *name, *script; enum gpg_key_problem problem; } cases[] = {
        {"good", "$G --quick-gen-key good@x future-default default never", GPG_KEY_USABLE},
        {"expired", "$G --faked-system-time 20200101T000000 --quick-gen-key expired@x future-default default 1d",
         GPG_KEY_EXPIRED},
        {"signonly", "$G --quick-gen-key signonly@x ed25519 sign never", GPG_KEY_CANNOT_ENCRYPT},
        {"revoked", "$G --quick-gen-key revoked@x future-default default never && "
                    "sed 's/^:-----/-----/' openpgp-revocs.d/$($G -k --with-colons revoked@x | awk -F: '/^fpr/ {print $10; exit}').rev | $G --import",
         GPG_KEY_REVOKED},
        {"disabled", "$G --quick-gen-key disabled@x future-default default never && echo disable | "
                     "$G --command-fd 0 --edit-key disabled@x", GPG_KEY_DISABLED},
        {"stranger", "mkdir -m 700 o && GNUPGHOME=$PWD/o $G --quick-gen-key stranger@x future-default default never && "
                     "GNUPGHOME=$PWD/o $G --export stranger@x | $G --import; GNUPGHOME=$PWD/o gpgconf --kill all",
         GPG_KEY_NOT_TRUSTED},
    };
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = start();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
        char command[1024], pattern[64];

        snprintf(command, sizeof(command), "G='gpg --batch --quiet --passphrase='; %s", cases[i].script);
        run(command);
        snprintf(pattern, sizeof(pattern), "%s@x", cases[i].name);
        keys = find(gpg, pattern, false);
        assert_case(cases[i].name, keys.count == 1);
        assert_case(cases[i].name, keys.items[0].problem == cases[i].problem);
        assert_case(cases[i].name, keys.items[0].has_secret ==
                                       (cases[i].problem != GPG_KEY_NOT_TRUSTED));
        assert_case(cases[i].name, *gpg_key_problem_words(cases[i].problem) != '\0');
    }
    end_agent();
}

static void a_passphrase_and_its_count_are_detected(void **state)
{
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = start();
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    struct gpg_agent_key known;
    struct error err = {0};
    uint64_t count = 0;

    (void)state;
    run("echo s2k-count 65536 > gpg-agent.conf; gpg --batch --quiet --pinentry-mode loopback --passphrase pw "
        "--quick-gen-key locked@x future-default default never; gpg-connect-agent reloadagent /bye"); /* forgets passphrases */
    keys = find(gpg, "locked@x", true);
    assert_int_equal(keys.count, 1);
    if (gpg_agent_find_key(keys.items[0].keygrip, &known, &err) != 0)
        fail_msg("gpg-agent has no key \"%s\": %s", keys.items[0].keygrip, err.text);
    assert_true(known.is_protected);
    assert_false(known.is_cached);
    assert_int_equal(gpg_agent_get_s2k_count(keys.items[0].keygrip, &count, &err), 0);
    assert_int_equal(count, 65536);
    end_agent();
}

static void places_are_those_of_gpg(void **state)
{
    CLEANUP_FREE char *home = NULL, *socket = NULL, *pinentry = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(gpg_find_home(&home, &err), 0);
    assert_string_equal(home, scratch_directory());
    assert_int_equal(gpg_agent_find_socket(&socket, &err), 0);
    assert_non_null(strstr(socket, "S.gpg-agent"));
    make_file("gpg-agent.conf", "# x\n  pinentry-program   /opt/my pinentry\n");
    assert_int_equal(gpg_agent_find_pinentry(&pinentry, &err), 0);
    assert_string_equal(pinentry, "/opt/my pinentry");
    end_agent();
}

static void counts_are_read_from_both_forms(void **state)
{
    static const struct { const char *bytes; size_t size; uint64_t count; } cases[] = {
#define CASE(text, count) {text, sizeof(text) - 1, count}
        CASE("Key: (protected-private-key (ecc)(protected openpgp-s2k3-ocb-aes ((sha1 #4C95#\n  \"322767872\")#11#)#27#))", 322767872),
        CASE("Key: (protected-private-key (protected openpgp-s2k3-ocb-aes ((sha1 \"B\xcb\xed\xfd\xf9\x39w\x41\"\n  \"65536\")#21#)))", 65536),
        CASE("Key: (protected-private-key (protected openpgp-s2k3-ocb-aes ((sha1 \"1\\\"2\\\\\"\n  \"65536\")#21#)))", 65536),
        CASE("protected-private-key (sha1 \"1\\", 0),
        CASE("protected-private-key (sha1 \"1", 0),
        CASE("protected-private-key (sha1 \"1\"", 0),
        CASE("protected-private-key (sha1 ", 0),
        CASE("(21:protected-private-key(3:ecc)(9:protected25:openpgp-s2k3-sha1-aes-cbc((4:sha18:\x01\"3:)\x02xy8:65011712)", 65011712),
        CASE("(21:protected-private-key((4:sha18:12345678", 0),
        CASE("(21:protected-private-key((4:sha199999:1", 0),
        CASE("(21:protected-private-key((4:sha1", 0),
        CASE("protected-private-key sha1 \"", 0),
        CASE("protected-private-key sha1 \"123", 0),
        CASE("(private-key (sha1 #12# \"322767872\"))", 0),
        CASE("", 0),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE void *copy = copy_exactly(cases[i].bytes, cases[i].size);
        uint64_t count = 0;

        /* The first sha1 may be in an algorithm's name. */
        assert_case(cases[i].bytes, gpg_agent_parse_s2k_count(copy, cases[i].size, &count) == (cases[i].count > 0));
        assert_case(cases[i].bytes, cases[i].count == 0 || count == cases[i].count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test_with(an_empty_keyring_is_not_a_failure, set_up),
        scratch_test_with(a_new_key_can_be_used_at_once, set_up),
        scratch_test_with(the_reason_of_an_unusable_key_is_found, set_up),
        scratch_test_with(a_passphrase_and_its_count_are_detected, set_up),
        scratch_test_with(places_are_those_of_gpg, set_up),
        cmocka_unit_test(counts_are_read_from_both_forms),
    };

    return cmocka_run_group_tests_name("gpg-keys", tests, NULL, NULL);
}
