/* gpg's home directory, its configuration, and the agent's socket. */
#include "gpg/home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpg/conf.h"
#include "gpg/outer-user.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static void only_known_settings_are_harmless(void **state)
{
    static const struct { const char *text; bool is_harmless; } cases[] = {
        {"", true},
        {"\n\n", true},
        {"# use-keyboxd\n", true},
        {"no-auto-key-locate\ndisable-dirmngr", true},
        {"  keyserver hkps://keys.example.com\r\n\tgroup team = a b\n", true},
        {"default-key 0123\n#x\nencrypt-to 4567\n", true},
        {"use-keyboxd\n", false},
        {"no-greeting\nagent-program /x\n", false},
        {"pinentry-mode loopback", false},
        {"keyring other.kbx\n", false},
        {"[section]\n", false},
        {"armorx\n", false},
        {"armo\n", false},
        {"--armor\n", false},
        {"max-output 5\n", false},
        {"unknown\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *copy = copy_exactly(cases[i].text, strlen(cases[i].text));

        assert_case(cases[i].text, gpg_conf_is_harmless(copy, strlen(cases[i].text)) == cases[i].is_harmless);
        free(copy);
    }
}

static struct gpg_home find(const char *given)
{
    struct gpg_home home;

    assert_case(given ? given : "(none)", gpg_home_find(given, &home) == 0);
    return home;
}

static void the_directory_is_found_as_gpg_finds_it(void **state)
{
    struct gpg_home home;

    (void)state;
    setenv("HOME", "/home/ada", 1);
    unsetenv("GNUPGHOME");
    home = find(NULL);
    assert_string_equal(home.path, "/home/ada/.gnupg");
    assert_true(home.is_default);
    setenv("GNUPGHOME", "", 1);
    assert_string_equal(find(NULL).path, "/home/ada/.gnupg");
    setenv("GNUPGHOME", "/elsewhere", 1);
    home = find(NULL);
    assert_string_equal(home.path, "/elsewhere");
    assert_false(home.is_default);
    assert_string_equal(find("/given").path, "/given");
    assert_true(find("/home/ada/.gnupg").is_default);
}

static void an_ambiguous_path_is_left_to_gpg(void **state)
{
    static const char *const paths[] = {"relative", "~/.gnupg", "/ends/", "/", "."};
    struct gpg_home home;

    (void)state;
    setenv("HOME", "/home/ada", 1);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        assert_case(paths[i], gpg_home_find(paths[i], &home) == -ENOTSUP);
        setenv("GNUPGHOME", paths[i], 1);
        assert_case(paths[i], gpg_home_find(NULL, &home) == -ENOTSUP);
    }
    unsetenv("GNUPGHOME");
    unsetenv("HOME");
    assert_int_equal(gpg_home_find(NULL, &home), -ENOTSUP);
    setenv("HOME", "/home/ada/", 1);
    assert_int_equal(gpg_home_find(NULL, &home), -ENOTSUP);
}

static int check_with(const char *name, const char *text)
{
    struct gpg_home home = {.is_default = false};
    int r;

    snprintf(home.path, sizeof(home.path), "%s", scratch_directory());
    if (name)
        make_file(name, text);
    r = gpg_home_check(&home);
    if (name)
        unlink(name);
    return r;
}

static void settings_for_keyrings_and_their_daemons_are_left_to_gpg(void **state)
{
    (void)state;
    assert_int_equal(check_with(NULL, NULL), 0);
    assert_int_equal(check_with("gpg.conf", "no-greeting\n"), 0);
    assert_int_equal(check_with("gpg.conf", "no-autostart\n"), -ENOTSUP);
    assert_int_equal(check_with("gpg.conf-2.2", ""), -ENOTSUP);
    assert_int_equal(check_with("common.conf", "use-keyboxd\nkeyboxd-program /x\n"), -ENOTSUP);
    assert_int_equal(check_with("pubring.gpg", ""), -ENOTSUP);
    make_directory("gpg.conf");
    assert_int_equal(check_with(NULL, NULL), -ENOTSUP);
}

static void common_conf_enables_keyboxd(void **state)
{
    static const struct { const char *text; enum gpg_common_conf said; } cases[] = {
        {"", GPG_COMMON_CONF_NOTHING},
        {"# use-keyboxd\n\n", GPG_COMMON_CONF_NOTHING},
        {"use-keyboxd", GPG_COMMON_CONF_KEYBOXD},
        {"#x\n \tuse-keyboxd \r\n\n", GPG_COMMON_CONF_KEYBOXD},
        {"use-keyboxd no\n", GPG_COMMON_CONF_UNKNOWN},
        {"use-keyboxds\n", GPG_COMMON_CONF_UNKNOWN},
        {"no-autostart\n", GPG_COMMON_CONF_UNKNOWN},
        {"use-keyboxd\n[x]\n", GPG_COMMON_CONF_UNKNOWN},
    };
    struct gpg_home home = {.is_default = false};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *copy = copy_exactly(cases[i].text, strlen(cases[i].text));

        assert_case(cases[i].text, gpg_common_conf_parse(copy, strlen(cases[i].text)) == cases[i].said);
        free(copy);
    }
    snprintf(home.path, sizeof(home.path), "%s", scratch_directory());
    make_file("common.conf", "use-keyboxd\n");
    assert_int_equal(gpg_home_check(&home), 0);
    assert_true(home.uses_keyboxd);
}

static void a_uid_is_mapped_to_the_one_outside(void **state)
{
    static const struct { const char *map; uid_t inside; bool is_mapped; uid_t outside; } cases[] = {
        {"         0          0 4294967295\n", 1000, true, 1000},
        {"         0       1000          1\n", 0, true, 1000},
        {"         0       1000          1\n         1     100000      65536\n", 0, true, 1000},
        {"         0       1000          1\n         1     100000      65536\n", 5, true, 100004},
        {"         0       1000          1\n", 1, false, 0},
        {"", 0, false, 0},
        {"rubbish", 0, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uid_t outside = 0;

        assert_case(cases[i].map, gpg_outer_user_map(cases[i].map, cases[i].inside, &outside) == cases[i].is_mapped);
        assert_case(cases[i].map, outside == cases[i].outside);
    }
}

static void another_home_contains_its_socket(void **state)
{
    struct gpg_home home = {.path = "/tmp/of-its-own"};
    char path[SOCKET_PATH_SIZE], filled[SOCKET_PATH_SIZE];

    (void)state;
    assert_int_equal(gpg_home_find_socket(&home, GPG_AGENT_SOCKET, path), 0);
    assert_string_equal(path, "/tmp/of-its-own/S.gpg-agent");
    fill(filled, 'x', SOCKET_PATH_SIZE - strlen("//S.gpg-agent") - 1);
    snprintf(home.path, sizeof(home.path), "/%s", filled);
    assert_int_equal(gpg_home_find_socket(&home, GPG_AGENT_SOCKET, path), 0);
    snprintf(home.path, sizeof(home.path), "/%sx", filled);
    assert_int_equal(gpg_home_find_socket(&home, GPG_AGENT_SOCKET, path), -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_known_settings_are_harmless),
        cmocka_unit_test(the_directory_is_found_as_gpg_finds_it),
        cmocka_unit_test(an_ambiguous_path_is_left_to_gpg),
        scratch_test(settings_for_keyrings_and_their_daemons_are_left_to_gpg),
        scratch_test(common_conf_enables_keyboxd),
        cmocka_unit_test(a_uid_is_mapped_to_the_one_outside),
        cmocka_unit_test(another_home_contains_its_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
