#include "helper/client/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static struct client_config open_config(const char *path)
{
    struct client_config config;
    struct error err = {0};

    if (client_config_open(path, &config, &err) < 0)
        fail_msg("%s", err.text);
    return config;
}

static void save(struct client_config *config)
{
    struct error err = {0};

    if (client_config_save(config, &err) < 0)
        fail_msg("%s", err.text);
}

static void set_store(struct client_config *config)
{
    struct error err = {0};

    assert_int_equal(client_config_set_creds_store(config, "pass", &err), 0);
}

/* --- the file ------------------------------------------------------------------------------ */

static void a_missing_file_is_created_for_the_user_only(void **state)
{
    CLEANUP(client_config_done) struct client_config config = open_config("home/.docker/config.json");

    (void)state;
    assert_false(config.exists);
    assert_null(client_config_get_creds_store(&config));
    assert_is_absent("home");
    set_store(&config);
    save(&config);
    assert_file_is("home/.docker/config.json", "{\n\t\"credsStore\": \"pass\"\n}\n");
    assert_mode_is("home/.docker/config.json", 0600);
    assert_mode_is("home/.docker", 0700);
    assert_tree_is("home", ".docker/\n.docker/config.json\n");
}

static void mode_link_and_all_other_bytes_are_kept(void **state)
{
    static const char before[] = "{\n    \"HttpHeaders\": {\"x\": [1, 2 ]},\n\n    \"credsStore\" :\"desktop\"\n}\n";
    CLEANUP(client_config_done) struct client_config config = {0};

    (void)state;
    make_file("real/config.json", before);
    assert_int_equal(chmod("real/config.json", 0640), 0);
    make_link("docker/config.json", "../real/config.json");
    config = open_config("docker/config.json");
    assert_string_equal(client_config_get_creds_store(&config), "desktop");
    set_store(&config);
    assert_string_equal(client_config_get_creds_store(&config), "pass");
    save(&config);
    assert_file_is("real/config.json",
                   "{\n    \"HttpHeaders\": {\"x\": [1, 2 ]},\n\n    \"credsStore\" :\"pass\"\n}\n");
    assert_mode_is("real/config.json", 0640);
    assert_tree_is("docker", "config.json\n");
    assert_tree_is("real", "config.json\n");
}

static void a_dangling_link_gets_its_target(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};

    (void)state;
    make_directory("real");
    make_link("config.json", "real/new.json");
    config = open_config("config.json");
    set_store(&config);
    save(&config);
    assert_file_is("real/new.json", "{\n\t\"credsStore\": \"pass\"\n}\n");
}

static void concurrent_changes_are_not_overwritten(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0}, absent = {0};
    struct error err = {0};

    (void)state;
    make_file("config.json", "{}");
    config = open_config("config.json");
    absent = open_config("other.json");
    make_file("config.json", "{\"a\":1}");
    make_file("other.json", "{}");
    set_store(&config);
    set_store(&absent);
    assert_int_equal(client_config_save(&config, &err), -ESTALE);
    assert_says(&err, "config.json");
    assert_file_is("config.json", "{\"a\":1}");
    assert_int_equal(client_config_save(&absent, &err), -ESTALE);
    assert_tree_is(".", "config.json\nother.json\n");
}

static void it_can_be_saved_again(void **state)
{
    CLEANUP(client_config_done) struct client_config config = open_config("config.json");
    struct error err = {0};

    (void)state;
    set_store(&config);
    save(&config);
    assert_int_equal(client_config_set_helper(&config, "example.com:5000", "pass", &err), 0);
    save(&config);
    assert_string_equal(client_config_get_helper(&config, "example.com:5000"), "pass");
    assert_null(client_config_get_helper(&config, "example.com"));
}

static void docker_reads_the_first_object(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    struct error err = {0};

    (void)state;
    make_file("config.json", "{\"credsStore\": \"pass\"} {\"credsStore\": \"other\"}");
    assert_int_equal(client_config_open_first_object("config.json", &config, &err), 0);
    assert_string_equal(client_config_get_creds_store(&config), "pass");
    assert_int_not_equal(client_config_set_creds_store(&config, "desktop", &err), 0);
    make_file("other.json", "[]");
    client_config_done(&config);
    assert_int_equal(client_config_open_first_object("other.json", &config, &err), -EBADMSG);
}

static void unusable_files_are_refused(void **state)
{
    static const struct { const char *text, *says; } cases[] = {
        {"[]", "not a JSON object"}, {"{", "not a JSON object"}, {"{}{}", "more than one JSON object"}, {"hello", "not a JSON object"},
    };
    struct client_config config;
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        make_file("config.json", cases[i].text);
        assert_case(cases[i].text, client_config_open("config.json", &config, &err) < 0);
        assert_says(&err, cases[i].says);
        assert_says(&err, "config.json");
    }
    make_directory("directory");
    assert_true(client_config_open("directory", &config, &err) < 0);
    assert_says(&err, "not a regular file");
    make_link("loop", "loop");
    assert_true(client_config_open("loop", &config, &err) < 0);
    make_file("strange.json", "{\"credHelpers\":[]}");
    config = open_config("strange.json");
    assert_true(client_config_set_helper(&config, "h", "pass", &err) < 0);
    assert_says(&err, "credHelpers");
    client_config_done(&config);
}

/* --- logins -------------------------------------------------------------------------------- */

static void assert_login(const struct client_login *login, const char *host, const char *username, const char *secret)
{
    assert_string_equal(login->host, host);
    assert_null(login->problem);
    assert_int_equal(login->username.size, strlen(username));
    assert_memory_equal(login->username.data, username, strlen(username));
    assert_int_equal(login->secret.size, strlen(secret));
    assert_memory_equal(login->secret.data, secret, strlen(secret));
}

static void passwords_and_tokens_are_found(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    struct error err = {0};

    (void)state;
    make_file("config.json",
              "{ \"auths\" : {\n"
              "  \"one.example\": {\"auth\": \"bWU6c2VjcmV0\", \"email\": \"x\"},\n" /* me:secret */
              "  \"colon.example\" : { \"auth\":\"bWU6YTpiOmM=\" } ,\n"             /* me:a:b:c */
              "  \"empty.example\": {}, \"null.example\": null,\n"
              "  \"token.example\": {\"auth\": \"bWU6c2VjcmV0\", \"identitytoken\": \"tok\"},\n"
              "  \"old.example\": {\"username\": \"me\", \"password\": \"pw\"},\n"
              "  \"nuls.example\": {\"auth\": \"bWU6cHcAAAA=\"},\n"                   /* me:pw and three NULs */
              "  \"slash.example\": {\"auth\": \"fj9+Oj9+P34+\"}\n"               /* ???:???>>> */
              "} }");
    config = open_config("config.json");
    assert_int_equal(client_config_list_logins(&config, &logins, &err), 0);
    assert_int_equal(logins.count, 6);
    assert_login(&logins.items[0], "one.example", "me", "secret");
    assert_login(&logins.items[1], "colon.example", "me", "a:b:c");
    assert_login(&logins.items[2], "token.example", "<token>", "tok");
    assert_true(logins.items[2].is_token);
    assert_login(&logins.items[3], "old.example", "me", "pw");
    assert_login(&logins.items[4], "nuls.example", "me", "pw");
    assert_login(&logins.items[5], "slash.example", "~?~", "?~?~>");
}

static void logins_that_cannot_be_moved_are_named(void **state)
{
    static const struct { const char *entry, *says; } cases[] = {
        {"{\"auth\": \"%%%%\"}", "base64"},
        {"{\"auth\": \"bWU6c2VjcmV0=\"}", "base64"},
        {"{\"auth\": \"Pz8_\"}", "base64"},
        {"{\"auth\": \"bWU=\"}", "does not hold a username"},
        {"{\"auth\": \"OnB3\"}", "does not hold a username"},
        {"{\"registrytoken\": \"x\"}", "registry token"},
        {"{\"auth\": 1}", "not a string"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(client_config_done) struct client_config config = {0};
        CLEANUP(client_logins_done) struct client_logins logins = {0};
        struct error err = {0};
        char text[200];

        snprintf(text, sizeof(text), "{\"auths\":{\"h\":%s}}", cases[i].entry);
        make_file("config.json", text);
        config = open_config("config.json");
        assert_int_equal(client_config_list_logins(&config, &logins, &err), 0);
        assert_case(cases[i].entry, logins.count == 1 && logins.items[0].problem);
        assert_case(cases[i].entry, strstr(logins.items[0].problem, cases[i].says) != NULL);
        assert_case(cases[i].entry, logins.items[0].secret.size == 0);
    }
}

static void secrets_are_removed_and_the_rest_stays(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    struct error err = {0};

    (void)state;
    make_file("config.json", "{\n  \"auths\": {\n    \"a\": {\n      \"auth\": \"bWU6cw==\",\n      \"email\": \"e\"\n    },\n"
                             "    \"b\": {\"auth\": \"bWU6cw==\", \"identitytoken\": \"t\"}\n  },\n  \"x\": 1\n}\n");
    config = open_config("config.json");
    assert_int_equal(client_config_remove_secret(&config, "a", &err), 0);
    assert_int_equal(client_config_remove_secret(&config, "b", &err), 0);
    save(&config);
    assert_file_is("config.json", "{\n  \"auths\": {\n    \"a\": {\n      \"email\": \"e\"\n    },\n    \"b\": {}\n  },\n"
                                  "  \"x\": 1\n}\n");
    assert_int_equal(client_config_list_logins(&config, &logins, &err), 0);
    assert_int_equal(logins.count, 0);
}

/* --- names in another case, and duplicate names -------------------------------------------------- */

static void names_are_compared_as_go_does(void **state)
{
    static const char *const texts[] = {
        "{\"credSstore\":\"x\",\"CREDSSTORE\":\"desktop\",\"Auths\":{\"h\":{\"Auth\":\"bWU6cw==\"}}}",
        "{\"cred\\u017fStore\":\"desktop\",\"auths\":{\"x\":{}},\"AUTH\\u017f\":{\"h\":{\"identityTo\\u212aen\":\"s\"}}}",
        "{\"credsStore\":\"desktop\",\"credsstore\":null,\"auths\":{\"h\":{\"auth\":\"bWU6cw==\"}},\"auths\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(client_config_done) struct client_config config = {0};
        CLEANUP(client_logins_done) struct client_logins logins = {0}, left = {0};
        struct error err = {0};

        make_file("config.json", texts[i]);
        config = open_config("config.json");
        assert_string_equal(client_config_get_creds_store(&config), "desktop");
        assert_int_equal(client_config_list_logins(&config, &logins, &err), 0);
        assert_int_equal(logins.count, 1);
        assert_holds(&logins.items[0].secret, "s");
        set_store(&config);
        assert_string_equal(client_config_get_creds_store(&config), "pass");
        assert_int_equal(client_config_remove_secret(&config, "h", &err), 0);
        assert_int_equal(client_config_list_logins(&config, &left, &err), 0);
        assert_int_equal(left.count, 0);
        assert_int_equal(unlink("config.json"), 0);
    }
}

static void every_copy_of_a_secret_is_removed(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    struct error err = {0};

    (void)state;
    make_file("config.json", "{\"auths\":{\"h\":{\"auth\":\"AA==\"},\"h\":{\"Auth\":\"bWU6cw==\",\"auth\":\"AA==\"}},"
                             "\"AUTHS\":{\"h\":{\"auth\":\"bWU6cw==\"}},\"auths\":{\"h\":{\"auth\":\"bWU6cw==\"}}}");
    config = open_config("config.json");
    assert_int_equal(client_config_remove_secret(&config, "h", &err), 0);
    save(&config);
    assert_file_is("config.json", "{\"auths\":{\"h\":{},\"h\":{}},\"AUTHS\":{\"h\":{}},\"auths\":{\"h\":{}}}");
}

static void helpers_of_several_objects_are_merged(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    struct error err = {0};

    (void)state;
    make_file("config.json", "{\"credHelpers\":{\"a\":\"x\",\"gone\":\"x\"},\"credHelpers\":null,\"CredHelpers\":{\"a\":\"y\"},"
                             "\"credhelpers\":{\"b\":\"\"}}");
    config = open_config("config.json");
    assert_string_equal(client_config_get_helper(&config, "a"), "y");
    assert_string_equal(client_config_get_helper(&config, "b"), "");
    assert_null(client_config_get_helper(&config, "gone"));
    assert_int_equal(client_config_set_helper(&config, "a", "pass", &err), 0);
    assert_string_equal(client_config_get_helper(&config, "a"), "pass");
    assert_string_equal(client_config_get_helper_host(&config, 0), "a");
    assert_null(client_config_get_helper_host(&config, 9));
}

static void null_becomes_an_object(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    struct error err = {0};

    (void)state;
    make_file("config.json", "{\"credHelpers\": null}");
    config = open_config("config.json");
    assert_int_equal(client_config_set_helper(&config, "h", "pass", &err), 0);
    assert_string_equal(client_config_get_helper(&config, "h"), "pass");
}

static void the_old_file_has_the_content_of_auths(void **state)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    struct error err = {0};

    (void)state;
    make_file(".dockercfg", "{\"https://h/v1/\":{\"auth\":\"bWU6cw==\",\"email\":\"e\"}}");
    config = open_config(".dockercfg");
    config.is_legacy = true;
    assert_int_equal(client_config_list_logins(&config, &logins, &err), 0);
    assert_int_equal(logins.count, 1);
    assert_string_equal(logins.items[0].host, "https://h/v1/");
    assert_int_equal(client_config_remove_secret(&config, "https://h/v1/", &err), 0);
    save(&config);
    assert_file_is(".dockercfg", "{\"https://h/v1/\":{\"email\":\"e\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_missing_file_is_created_for_the_user_only),
        scratch_test(mode_link_and_all_other_bytes_are_kept),
        scratch_test(a_dangling_link_gets_its_target),
        scratch_test(concurrent_changes_are_not_overwritten),
        scratch_test(it_can_be_saved_again),
        scratch_test(docker_reads_the_first_object),
        scratch_test(unusable_files_are_refused),
        scratch_test(passwords_and_tokens_are_found),
        scratch_test(logins_that_cannot_be_moved_are_named),
        scratch_test(secrets_are_removed_and_the_rest_stays),
        scratch_test(names_are_compared_as_go_does),
        scratch_test(every_copy_of_a_secret_is_removed),
        scratch_test(helpers_of_several_objects_are_merged),
        scratch_test(null_becomes_an_object),
        scratch_test(the_old_file_has_the_content_of_auths),
    };

    return cmocka_run_group_tests_name("client-config", tests, NULL, NULL);
}
