/* The files in which docker and podman look for logins, and their names of a server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/client/docker.h"
#include "helper/client/leftovers.h"
#include "helper/client/name.h"
#include "helper/client/podman.h"
#include "helper/client/registries-conf.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static void set_or_unset(const char *name, const char *value)
{
    value ? setenv(name, value, 1) : unsetenv(name);
}

/* --- names --------------------------------------------------------------------------------- */

static void a_server_has_one_name_for_each_client(void **state)
{
    static const struct { const char *key, *docker, *podman, *legacy; } cases[] = {
        {"h", "h", "h", "h"},
        {"h:5000", "h:5000", "h:5000", "h:5000"},
        {"https://h:5000", "h:5000", "h:5000", "h:5000"},
        {"http://h/v1/", "h", "h", "h"},
        {"https://u@h/v2/?q#f", "h", "u@h", "u@h"},
        {"https://[::1]:5000/v1/", "[::1]:5000", "[::1]:5000", "[::1]:5000"},
        {"h/v2/", "h", "", "h"},
        {"h/", "h", "", "h"},
        {"h/team", "h", "h/team", "h"},
        {"h//x", "h", "", "h"},
        {"docker.io", "", "docker.io", "docker.io"},
        {"index.docker.io", "", "docker.io", "docker.io"},
        {"registry-1.docker.io", "registry-1.docker.io", "docker.io", "docker.io"},
        {"https://index.docker.io/v1", "", "docker.io", "docker.io"},
        {"https://index.docker.io/v1/", "https://index.docker.io/v1/", "docker.io", "docker.io"},
        {"https://index.docker.io/v1/access-token", "https://index.docker.io/v1/access-token", "docker.io", "docker.io"},
        {"docker.io/library", "", "docker.io/library", "docker.io"},
        {"", "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *docker = client_name_asked_by_docker(cases[i].key);
        CLEANUP_FREE char *podman = client_name_asked_by_podman(cases[i].key, false);
        CLEANUP_FREE char *legacy = client_name_asked_by_podman(cases[i].key, true);

        assert_case(cases[i].key, strcmp(docker, cases[i].docker) == 0);
        assert_case(cases[i].key, strcmp(podman, cases[i].podman) == 0);
        assert_case(cases[i].key, strcmp(legacy, cases[i].legacy) == 0);
    }
}

static void docker_login_normalises_its_argument(void **state)
{
    static const char *const cases[][2] = {
        {"docker.io", CLIENT_DOCKER_HUB}, {"index.docker.io", CLIENT_DOCKER_HUB},
        {CLIENT_DOCKER_HUB, CLIENT_DOCKER_HUB}, {"https://h:1/", "h:1"}, {"h/", "h"}, {"h:1", "h:1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *name = client_name_for_docker(cases[i][0]);

        assert_case(cases[i][0], strcmp(name, cases[i][1]) == 0);
    }
}

/* --- files --------------------------------------------------------------------------------- */

static void the_environment_selects_docker_s_file(void **state)
{
    static const char *const cases[][2] = {
        {NULL, "/h/.docker/config.json"}, {"", "/h/.docker/config.json"}, {"/d", "/d/config.json"}};

    (void)state;
    setenv("HOME", "/h", 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *path = NULL;
        struct error err = {0};

        set_or_unset("DOCKER_CONFIG", cases[i][0]);
        assert_int_equal(client_docker_find(&path, &err), 0);
        assert_string_equal(path, cases[i][1]);
    }
}

static void podman_reads_files_in_this_order(void **state)
{
    static const struct { const char *named, *runtime, *config, *docker, *expected; } cases[] = {
        {"/n", "/run/u", NULL, "/d", "/n\n"},
        {NULL, "/run/u", NULL, NULL, "/run/u/containers/auth.json\n/h/.config/containers/auth.json\n"
                                     "/h/.docker/config.json\n/h/.dockercfg old\n"},
        {"", "/run/u", "/c", "/d", "/run/u/containers/auth.json\n/c/containers/auth.json\n"
                                   "/h/.config/containers/auth.json\n/d/config.json\n/h/.dockercfg old\n"},
    };

    (void)state;
    setenv("HOME", "/h", 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(client_podman_files_done) struct client_podman_files files = {0};
        struct error err = {0};
        char found[512] = "";

        set_or_unset("REGISTRY_AUTH_FILE", cases[i].named);
        set_or_unset("XDG_RUNTIME_DIR", cases[i].runtime);
        set_or_unset("XDG_CONFIG_HOME", cases[i].config);
        set_or_unset("DOCKER_CONFIG", cases[i].docker);
        assert_int_equal(client_podman_find(&files, &err), 0);
        for (size_t k = 0; k < files.count; k++)
            snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s\n", files.items[k].path,
                     files.items[k].is_legacy ? " old" : "");
        assert_string_equal(found, cases[i].expected);
    }
}

static void without_a_runtime_directory_the_file_is_below_run(void **state)
{
    CLEANUP(client_podman_files_done) struct client_podman_files files = {0};
    struct error err = {0};
    bool is_found = false;
    char expected[64];

    (void)state;
    setenv("HOME", "/h", 1);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("REGISTRY_AUTH_FILE");
    snprintf(expected, sizeof(expected), "/run/containers/%u/auth.json", (unsigned)getuid());
    assert_int_equal(client_podman_find(&files, &err), 0);
    for (size_t i = 0; i < files.count; i++)
        is_found |= strcmp(files.items[i].path, expected) == 0;
    assert_true(is_found);
}

/* podman as an ordinary user, without XDG_RUNTIME_DIR, as after su or in cron. */
static void without_a_runtime_directory_podman_makes_one(void **state)
{
    CLEANUP(client_podman_files_done) struct client_podman_files files = {0};
    static const struct { const char *prefix; mode_t mode; bool is_read; } cases[] = {
        {"podman-run-", 0700, true}, {"storage-run-", 0770, false},
    };
    const uid_t uid = geteuid() == 0 ? 4711 : geteuid();
    const bool is_root = geteuid() == 0;
    char *path[ARRAY_SIZE(cases)];
    struct error err = {0};

    (void)state;
    setenv("HOME", "/h", 1);
    setenv("TMPDIR", scratch_directory(), 1);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("REGISTRY_AUTH_FILE");
    assert_int_equal(chmod(scratch_directory(), 0755), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(asprintf(&path[i], "%s/%s%u", scratch_directory(), cases[i].prefix, (unsigned)uid) > 0);
        assert_int_equal(mkdir(path[i], 0700), 0);
        assert_int_equal(chmod(path[i], cases[i].mode), 0);
        assert_int_equal(chown(path[i], uid, (gid_t)-1), 0);
    }
    assert_int_equal(seteuid(uid), 0);
    assert_int_equal(client_podman_find(&files, &err), 0);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bool is_read = false;

        for (size_t k = 0; k < files.count; k++)
            is_read |= strncmp(files.items[k].path, path[i], strlen(path[i])) == 0;
        assert_int_equal(is_read, cases[i].is_read);
        free(path[i]);
    }
    unsetenv("TMPDIR");
}

/* --- registries.conf ----------------------------------------------------------------------- */

static void helpers_are_found_in_toml(void **state)
{
    static const struct { const char *text, *expected; int result; } cases[] = {
        {"", "", 0},
        {"credential-helpers = [\"pass\"]\n", "pass ", 1},
        {"Credential-Helpers=['a' , \"b\",]", "a b ", 1},
        {"\"credential-helpers\" = [\n  \"a\", # one\n  \"b\"\n]\n[[registry]]\n", "a b ", 1},
        {"credential-helpers = []\n", "", 1},
        {"# credential-helpers = [\"x\"]\nshort-name-mode = \"x#\\\"y\"\ncredential-helpers = [\"a\"]", "a ", 1},
        {"unqualified-search-registries = [\"[\", '''\n]\n''']\ncredential-helpers = [\"a\"]", "a ", 1},
        {"[registries.search]\ncredential-helpers = [\"a\"]\n", "", 0},
        {"credential-helpers-x = [\"a\"]\n", "", 0},
        {"credential-helpers = \"a\"\n", "", -EBADMSG},
        {"credential-helpers = [\"a\n", "", -EBADMSG},
        {"nonsense\n", "", -EBADMSG},
        {"x = [\n", "", -EBADMSG},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char **names = NULL, found[64] = "";

        assert_case(cases[i].text, client_helpers_parse(cases[i].text, &names) == cases[i].result);
        for (char **name = names; name && *name; name++)
            snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s ", *name);
        assert_case(cases[i].text, strcmp(found, cases[i].expected) == 0);
        client_helper_names_free(names);
    }
}

static void assert_helpers(const char *without, const char *first, const char *source)
{
    CLEANUP(client_helpers_done) struct client_helpers helpers = {0};
    struct error err = {0};

    if (client_helpers_read(without, &helpers, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(helpers.names[0], first);
    if (source)
        assert_non_null(strstr(helpers.source, source));
}

static void the_last_drop_in_wins(void **state)
{
    CLEANUP_FREE char *path = NULL;

    (void)state;
    setenv("HOME", scratch_directory(), 1);
    make_file("main.conf", "credential-helpers = [\"main\"]\n");
    setenv("CONTAINERS_REGISTRIES_CONF", "main.conf", 1);
    make_directory(".config/containers/registries.conf.d");
    assert_helpers(NULL, "main", "main.conf");
    make_file(".config/containers/registries.conf.d/pass.conf", "credential-helpers = [\"pass\"]\n");
    make_file(".config/containers/registries.conf.d/zz.txt", "credential-helpers = [\"no\"]\n");
    assert_helpers(NULL, "pass", "pass.conf");
    make_file(".config/containers/registries.conf.d/zz.conf", "credential-helpers = [\"other\"]\n");
    assert_helpers(NULL, "other", "zz.conf");
    assert_int_equal(asprintf(&path, "%s/.config/containers/registries.conf.d/zz.conf", scratch_directory()) < 0, 0);
    assert_helpers(path, "pass", "pass.conf");
    make_file(".config/containers/registries.conf.d/zzz.conf", "credential-helpers = []\n");
    assert_helpers(NULL, CLIENT_AUTH_FILES, NULL);
    unsetenv("CONTAINERS_REGISTRIES_CONF");
}

static void leftovers_of_docker_and_of_this_program_are_known_by_their_names(void **state)
{
    (void)state;
    assert_true(client_is_leftover_name("config.json1158511922", "config.json"));
    assert_true(client_is_leftover_name(".docker-credential-pass.0f8fad5b", "config.json"));
    assert_false(client_is_leftover_name("config.json", "config.json"));
    assert_false(client_is_leftover_name("config.json.1", "config.json"));
    assert_false(client_is_leftover_name("config.json1.bak", "config.json"));
    assert_false(client_is_leftover_name("config.jso", "config.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_has_one_name_for_each_client),
        cmocka_unit_test(docker_login_normalises_its_argument),
        cmocka_unit_test(the_environment_selects_docker_s_file),
        cmocka_unit_test(podman_reads_files_in_this_order),
        cmocka_unit_test(without_a_runtime_directory_the_file_is_below_run),
        scratch_test(without_a_runtime_directory_podman_makes_one),
        cmocka_unit_test(helpers_are_found_in_toml),
        cmocka_unit_test(leftovers_of_docker_and_of_this_program_are_known_by_their_names),
        scratch_test(the_last_drop_in_wins),
    };

    return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
