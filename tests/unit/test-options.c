#include "gpg/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gpg/option-table.h"
#include "tests/unit/check.h"

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* struct gpg_options with constant texts. */
struct expected {
    const char *homedir, *trust_model;
    bool has_armor, has_hidden_recipients;
    enum gpg_pinentry_mode pinentry_mode;
};

static void assert_parsed(const char *text, const struct expected *expected)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    struct error err;

    assert_case(text, gpg_options_parse(text, &options, &err) == 0);
    assert_case(text, is_same(options.homedir, expected->homedir));
    assert_case(text, is_same(options.trust_model, expected->trust_model));
    assert_case(text, options.has_armor == expected->has_armor);
    assert_case(text, options.has_hidden_recipients == expected->has_hidden_recipients);
    assert_case(text, options.pinentry_mode == expected->pinentry_mode);
}

static void options_that_gpgme_supports_are_accepted(void **state)
{
    static const struct { const char *text; struct expected expected; } cases[] = {
        {"-a", {.has_armor = true}},
        {"--armor", {.has_armor = true}},
        {"--armour", {.has_armor = true}},
        {"--throw-keyids", {.has_hidden_recipients = true}},
        {"--always-trust", {.trust_model = "always"}},
        {"--trust-model=always", {.trust_model = "always"}},
        {"--trust-model tofu+pgp", {.trust_model = "tofu+pgp"}},
        {"--homedir=/a/b", {.homedir = "/a/b"}},
        {"--homedir /a/b", {.homedir = "/a/b"}},
        {"--homedir=a=b", {.homedir = "a=b"}},
        {"--homedir\t--armor", {.homedir = "--armor"}},
        {"--pinentry-mode=ask", {.pinentry_mode = GPG_PINENTRY_ASK}},
        {"--pinentry-mode cancel", {.pinentry_mode = GPG_PINENTRY_CANCEL}},
        {"--pinentry-mode error", {.pinentry_mode = GPG_PINENTRY_ERROR}},
        {"--pinentry-mode=default", {.pinentry_mode = GPG_PINENTRY_DEFAULT}},
        {"-a --homedir h --trust-model=direct --throw-keyids --pinentry-mode=ask",
         {.homedir = "h", .trust_model = "direct", .has_armor = true, .has_hidden_recipients = true,
          .pinentry_mode = GPG_PINENTRY_ASK}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_parsed(cases[i].text, &cases[i].expected);
}

static void the_last_of_several_options_is_used(void **state)
{
    static const struct { const char *text; struct expected expected; } cases[] = {
        {"--homedir a --homedir=b", {.homedir = "b"}},
        {"--always-trust --trust-model pgp", {.trust_model = "pgp"}},
        {"--trust-model pgp --always-trust", {.trust_model = "always"}},
        {"--pinentry-mode ask --pinentry-mode default", {.pinentry_mode = GPG_PINENTRY_DEFAULT}},
        {"-a -a", {.has_armor = true}},
        {"-a --no-armor", {.has_armor = false}},
        {"--throw-keyids --no-throw-keyids", {.has_hidden_recipients = false}},
        {"--no-throw-keyids --throw-keyids", {.has_hidden_recipients = true}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_parsed(cases[i].text, &cases[i].expected);
}

static void no_options_are_the_default(void **state)
{
    static const struct expected none;

    (void)state;
    assert_parsed("", &none);
    assert_parsed(" \t\n ", &none);
    assert_parsed(NULL, &none);
}

static void words_are_split_at_spaces_as_in_a_shell(void **state)
{
    static const struct expected both = {.homedir = "h", .has_armor = true};

    (void)state;
    assert_parsed("  -a   --homedir   h  ", &both);
    assert_parsed("\t-a\n--homedir\nh\n", &both);
    assert_parsed("-a --homedir \t\n h", &both);
}

static void options_that_are_set_anyway_are_accepted(void **state)
{
    static const char *const words[] = {
        "--batch", "--yes", "--quiet", "-q", "--no-tty", "--use-agent", "--no-greeting", "--no-encrypt-to",
        "--no-verbose", "--no-auto-check-trustdb", "--no-secmem-warning", "--no-permission-warning",
        "--compress-algo=none", "--compress-algo none", "--no-auto-key-locate", "--disable-dirmngr",
        "--quiet --yes --compress-algo=none --no-encrypt-to", "--no-throw-keyids", "--cipher-algo AES256", "--comment=x",
        "--compress-algo zip -z 9", "-t -v -u me@example.com", "--no-emit-version --no-comments --display-charset utf-8",
    };
    static const struct expected none;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        assert_parsed(words[i], &none);
}

static void an_unsupported_option_is_named(void **state)
{
    static const struct { const char *text, *named; } cases[] = {
        {"--sign", "--sign"},
        {"-s", "-s"},
        {"--symmetric", "--symmetric"},
        {"--recipient=abc", "--recipient=abc"},
        {"-r abc", "-r"},
        {"--passphrase-fd 0", "--passphrase-fd"},
        {"--batch --output x --armor", "--output"},
        {"--keyring=x", "--keyring=x"},
        {"--group a=b", "--group"},
        {"-o x", "-o"},
        {"-qv", "-qv"},
        {"--quiet=", "--quiet="},
        {"--pinentry-mode=loopback", "--pinentry-mode=loopback"},
        {"--pinentry-mode=Ask", "--pinentry-mode=Ask"},
        {"--pinentry-mode=", "--pinentry-mode="},
        {"--homedi=x", "--homedi=x"},
        {"--homedirs x", "--homedirs"},
        {"--trust-models=x", "--trust-models=x"},
        {"--Armor", "--Armor"},
        {"--armor=yes", "--armor=yes"},
        {"-aq", "-aq"},
        {"--", "--"},
        {"-", "-"},
        {"word", "word"},
        {"'--armor'", "'--armor'"},
        {"\"--homedir /a\"", "\"--homedir"},
        {"--armor\r", "--armor?"},
        {"--no-verbose=1", "--no-verbose=1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct gpg_options options = {.homedir = (char *)"untouched"};
        struct error err = {0};
        char expected[128];

        snprintf(expected, sizeof(expected), "PASSWORD_STORE_GPG_OPTS: %s ", cases[i].named);
        assert_case(cases[i].text, gpg_options_parse(cases[i].text, &options, &err) == -EINVAL);
        assert_says(&err, expected);
        assert_string_equal(options.homedir, "untouched");
    }
}

static void an_option_whose_value_is_missing_is_named(void **state)
{
    static const char *const cases[] = {"--homedir", "--trust-model", "--pinentry-mode", "--compress-algo", "--cipher-algo", "-u"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct gpg_options options;
        struct error err = {0};
        char text[64];

        snprintf(text, sizeof(text), "-a %s \t", cases[i]);
        assert_case(cases[i], gpg_options_parse(text, &options, &err) == -EINVAL);
        assert_says(&err, cases[i]);
    }
}

static void an_empty_value_is_no_value(void **state)
{
    static const char *const cases[] = {"--homedir=", "--trust-model=", "--homedir= -a"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct gpg_options options = {0};
        int r = gpg_options_parse(cases[i], &options, NULL);

        if (r == 0)
            gpg_options_done(&options);
        assert_case(cases[i], r == -EINVAL);
    }
}

/* Lines "<group> <option>", of all options that any GnuPG from 2.2 to 2.5 has. */
static void every_option_of_gpg_is_in_its_group(void **state)
{
    static const struct { const char *name; enum gpg_option_kind kind; } groups[] = {
        {"idle", GPG_OPTION_IDLE}, {"value", GPG_OPTION_IDLE_VALUE}, {"output", GPG_OPTION_OUTPUT},
        {"recipients", GPG_OPTION_RECIPIENTS}, {"configuration", GPG_OPTION_CONFIGURATION},
        {"passphrase", GPG_OPTION_PASSPHRASE}, {"command", GPG_OPTION_COMMAND}, {"carried", GPG_OPTION_UNKNOWN},
    };
    FILE *list = fopen(GPG_OPTIONS_LIST, "re");
    char group[32], option[64], text[80];
    size_t count = 0;

    (void)state;
    assert_non_null(list);
    for (; fscanf(list, "%31s %63s", group, option) == 2; count++) {
        CLEANUP(gpg_options_done) struct gpg_options options = {0};
        bool is_taken = strcmp(group, "idle") == 0 || strcmp(group, "value") == 0 || strcmp(group, "carried") == 0;
        size_t i = 0;

        while (i < ARRAY_SIZE(groups) && strcmp(groups[i].name, group) != 0)
            i++;
        assert_case(option, i < ARRAY_SIZE(groups) && gpg_option_classify(option) == groups[i].kind);
        snprintf(text, sizeof(text), strcmp(group, "value") == 0 ? "%s x" : "%s", option);
        assert_case(option, (gpg_options_parse(text, &options, NULL) == 0) == is_taken);
    }
    fclose(list);
    assert_true(count > 400);
}

static void the_text_is_not_changed(void **state)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    const char text[] = "-a --homedir h";

    (void)state;
    assert_int_equal(gpg_options_parse(text, &options, NULL), 0);
    assert_string_equal(text, "-a --homedir h");
}

static void a_very_long_option_is_an_error_of_one_line(void **state)
{
    char *text = malloc(20001);
    struct gpg_options options;
    struct error err = {0};

    (void)state;
    assert_non_null(text);
    fill(text, 'x', 20000);
    assert_int_equal(gpg_options_parse(text, &options, &err), -EINVAL);
    assert_says(&err, "xxx");
    free(text);
}

static void freed_options_are_the_default(void **state)
{
    struct gpg_options options = {0};

    (void)state;
    assert_int_equal(gpg_options_parse("-a --homedir h --always-trust", &options, NULL), 0);
    gpg_options_done(&options);
    assert_null(options.homedir);
    assert_null(options.trust_model);
    assert_false(options.has_armor);
    gpg_options_done(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_gpgme_supports_are_accepted),
        cmocka_unit_test(the_last_of_several_options_is_used),
        cmocka_unit_test(no_options_are_the_default),
        cmocka_unit_test(words_are_split_at_spaces_as_in_a_shell),
        cmocka_unit_test(options_that_are_set_anyway_are_accepted),
        cmocka_unit_test(an_unsupported_option_is_named),
        cmocka_unit_test(an_option_whose_value_is_missing_is_named),
        cmocka_unit_test(an_empty_value_is_no_value),
        cmocka_unit_test(every_option_of_gpg_is_in_its_group),
        cmocka_unit_test(the_text_is_not_changed),
        cmocka_unit_test(a_very_long_option_is_an_error_of_one_line),
        cmocka_unit_test(freed_options_are_the_default),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
