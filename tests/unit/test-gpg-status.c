#include "gpg/status.h"
#include "gpg/words.h"

#include <string.h>

#include "tests/unit/check.h"

static void gpg_s_status_lines_of_a_decryption(void **state)
{
    struct gpg_status status = {0};

    (void)state;
    gpg_status_note(&status, "", "");
    assert_false(status.has_spoken);
    gpg_status_note(&status, "ENC_TO", "1C51DCA5D055CA40 18 0");
    assert_true(status.has_spoken && status.has_recipient && !status.has_hidden_recipient);
    gpg_status_note(&status, "ENC_TO", "0000000000000000 18 0");
    assert_true(status.has_hidden_recipient);
    gpg_status_note(&status, "ERROR", "pkdecrypt_failed 67108949");
    assert_int_equal(gpg_err_code(status.key_error), GPG_ERR_NO_PIN_ENTRY);
    gpg_status_note(&status, "PINENTRY_LAUNCHED", "12 curses");
    assert_int_equal(status.prompts, 1);
    gpg_status_note(&status, "INQUIRE_MAXLEN", "100");
    gpg_status_note(&status, "NODATA", "2");
    gpg_status_note(&status, "DECRYPTION_INFO", "2 9 0");
    assert_true(status.wants_loopback && status.has_no_data && status.has_session_key);
    assert_false(status.has_option_failure || status.has_keyring_failure || status.has_encrypted);
}

static void option_and_keyring_errors_differ_from_other_failures(void **state)
{
    static const struct { const char *keyword, *args; bool is_option, is_keyring; } rows[] = {
        {"FAILURE", "option-parser 33554433", true, false},
        {"FAILURE", "option-checking 33554433", true, false},
        {"FAILURE", "decrypt 4294967295", false, false},
        {"FAILURE", "encrypt 9", false, false},
        {"ERROR", "add_keyblock_resource 33587201", false, true},
        {"ERROR", "keydb_search 33554445", false, true},
        {"ERROR", "keylist.getkey 14", false, true},
        {"ERROR", "keylist.getkey 9", false, false},
        {"ERROR", "", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gpg_status status = {0};

        gpg_status_note(&status, rows[i].keyword, rows[i].args);
        assert_int_equal(status.has_option_failure, rows[i].is_option);
        assert_int_equal(status.has_keyring_failure, rows[i].is_keyring);
    }
}

/* The lines of GnuPG 2.4.4 and 2.2.40 for an entry with a changed bit, and for sound ones. */
static void tampering_that_gpgme_does_not_detect(void **state)
{
    static const struct {
        const char *lines[4][2];
        bool is_unauthentic;
    } rows[] = {
        {{{"DECRYPTION_INFO", "0 9 2"}, {"NODATA", "3"}, {"DECRYPTION_OKAY", ""}, {"FAILURE", "gpg-exit 33554433"}}, true},
        {{{"DECRYPTION_INFO", "0 9 0"}, {"NODATA", "3"}, {"DECRYPTION_OKAY", ""}, {"GOODMDC", ""}}, true},
        {{{"DECRYPTION_INFO", "0 9 2"}, {"DECRYPTION_OKAY", ""}}, false},
        {{{"DECRYPTION_INFO", "0 9 2"}, {"DECRYPTION_OKAY", ""}, {"FAILURE", "gpg-exit 33554433"}}, false},
        {{{"DECRYPTION_INFO", "2 9 0"}, {"GOODMDC", ""}, {"DECRYPTION_OKAY", ""}, {"FAILURE", "gpg-exit 33554433"}}, false},
        {{{"DECRYPTION_INFO", "2 9"}, {"GOODMDC", ""}, {"NODATA", "3"}}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gpg_status status = {0};

        for (size_t n = 0; n < 4 && rows[i].lines[n][0]; n++)
            gpg_status_note(&status, rows[i].lines[n][0], rows[i].lines[n][1]);
        assert_int_equal(gpg_status_is_unauthentic(&status), rows[i].is_unauthentic);
    }
}

static void gpg_s_message_becomes_one_line(void **state)
{
    char words[GPG_WORDS_SIZE], log[2 * GPG_WORDS_SIZE];

    (void)state;
    gpg_words_parse("", words);
    assert_string_equal(words, "");
    gpg_words_parse("gpg: encrypted with ECDH key\n      \"A <a@x.org>\"\n\ngpg: \n/x/gpg.conf:3: invalid option", words);
    assert_string_equal(words, "encrypted with ECDH key; gpg: ; /x/gpg.conf:3: invalid option");
    gpg_words_parse("gpg-agent[30613]: /x/gpg-agent.conf:1: invalid option\ngpg-agent[1", words);
    assert_string_equal(words, "/x/gpg-agent.conf:1: invalid option; gpg-agent[1");
    memset(log, 'x', sizeof(log) - 1);
    log[sizeof(log) - 1] = '\0';
    gpg_words_parse(log, words);
    assert_string_equal(words, "");
}

/* GnuPG 2.4 names the mode of a message without an MDC; GnuPG 2.2 names none. */
static void mode_of_encryption_is_noted(void **state)
{
    static const struct { const char *args; bool has_no_mdc, has_aead; } rows[] = {
        {"2 9 0", false, false}, {"2 9", false, false}, {"0 9 2", true, true}, {"0 9 0", true, false}, {"0 9", true, false},
        {"0 9 x", true, false}, {"0", false, false}, {"", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct gpg_status status = {0};

        gpg_status_note(&status, "DECRYPTION_INFO", rows[i].args);
        assert_int_equal(status.has_no_mdc, rows[i].has_no_mdc);
        assert_int_equal(status.has_aead, rows[i].has_aead);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpg_s_status_lines_of_a_decryption),
        cmocka_unit_test(option_and_keyring_errors_differ_from_other_failures),
        cmocka_unit_test(tampering_that_gpgme_does_not_detect),
        cmocka_unit_test(gpg_s_message_becomes_one_line),
        cmocka_unit_test(mode_of_encryption_is_noted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
