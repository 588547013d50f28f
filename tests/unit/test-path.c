#include "helper/pass/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

static void a_url_becomes_a_directory_byte_for_byte(void **state)
{
    static const struct { const char *url, *directory; } cases[] = {
        {"https://index.docker.io/v1/", "aHR0cHM6Ly9pbmRleC5kb2NrZXIuaW8vdjEv"},
        {"https://example.com", "aHR0cHM6Ly9leGFtcGxlLmNvbQ=="},
        {"https://example.com/", "aHR0cHM6Ly9leGFtcGxlLmNvbS8="},
        {"HTTPS://example.com", "SFRUUFM6Ly9leGFtcGxlLmNvbQ=="},
        {"localhost:5000", "bG9jYWxob3N0OjUwMDA="},
        {"\xFB\xFF\xFE/?", "-__-Lz8="},
        {"..", "Li4="},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pass_path path = {.file = "x"};

        assert_int_equal(pass_path_set_url(&path, cases[i].url, strlen(cases[i].url)), 0);
        assert_string_equal(path.directory, cases[i].directory);
        assert_string_equal(path.file, "");
    }
}

static void the_longest_url_fits_into_a_file_name(void **state)
{
    struct pass_path path;
    char url[PASS_URL_MAX + 2];

    (void)state;
    fill(url, 'x', PASS_URL_MAX + 1);
    assert_int_equal(pass_path_set_url(&path, url, PASS_URL_MAX), 0);
    assert_int_equal(strlen(path.directory), 252);
    assert_int_equal(pass_path_set_url(&path, url, PASS_URL_MAX + 1), -ENAMETOOLONG);
    assert_int_equal(pass_path_set_url(&path, url, SIZE_MAX), -ENAMETOOLONG);
}

static void usernames_become_files(void **state)
{
    static const char *const cases[] = {
        "user", "<token>", "a b", "user@example.com", "00000000-0000-0000-0000-000000000000", "_json_key", "$oauthtoken",
        "a/b", "tenancy/domain/user", "a.gpg", "a.gpg/b", ".gpg", ".hidden", ".gpg-id", "...", "..a", "a..", "a/...",
        "git", ".gitx", "x.git", ".gi", "-rf", "*", "\\", "\n", "\x01", "\xC3\xA9", "\xFF", " ", "~", ".docker-credential-pass.tmp",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pass_path path;
        char file[64];

        snprintf(file, sizeof(file), "%s.gpg", cases[i]);
        assert_case(cases[i], pass_path_set_username(&path, cases[i], strlen(cases[i])) == 0);
        assert_string_equal(path.file, file);
        assert_case(cases[i], strchr(file, '/') || pass_path_is_entry(file));
    }
}

static void usernames_that_would_leave_the_directory_are_refused(void **state)
{
    static const struct { const char *username; size_t size; } cases[] = {
        {"", 0}, {".", 1}, {"..", 2}, {"/", 1}, {"//", 2}, {"/a", 2}, {"a/", 2}, {"a//b", 4}, {"../a", 4}, {"../../evil", 10},
        {"a/..", 4}, {"a/../b", 6}, {"a/.", 3}, {"./a", 3}, {"a/./b", 5}, {"/etc/passwd", 11},
        {".git", 4}, {".GIT", 4}, {".gIt", 4}, {".git/config", 11}, {"a/.git", 6}, {"a/.Git/hooks/x", 14},
        {"\0", 1}, {"a\0", 2}, {"\0a", 2}, {"a\0b", 3}, {"a/\0", 3}, {"..\0", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *username = copy_exactly(cases[i].username, cases[i].size);
        struct pass_path path = {.file = "x"};

        assert_case(cases[i].username, pass_path_set_username(&path, username, cases[i].size) == -EINVAL);
        assert_string_equal(path.file, "x");
    }
}

static int set_username_of(size_t first_part, size_t last_part)
{
    char username[PASS_USERNAME_MAX + 2];
    struct pass_path path;
    size_t size = first_part + last_part + (first_part ? 1 : 0);
    int r;

    assert_true(size < sizeof(username));
    fill(username, 'x', size);
    if (first_part)
        username[first_part] = '/';
    r = pass_path_set_username(&path, username, size);
    assert_true(r < 0 || strlen(path.file) == size + strlen(PASS_SUFFIX));
    return r;
}

static void parts_may_be_as_long_as_file_names(void **state)
{
    (void)state;
    assert_int_equal(set_username_of(0, 251), 0);
    assert_int_equal(set_username_of(0, 252), -ENAMETOOLONG);
    assert_int_equal(set_username_of(255, 251), 0);
    assert_int_equal(set_username_of(256, 1), -ENAMETOOLONG);
    assert_int_equal(set_username_of(1, 252), -ENAMETOOLONG);
    assert_int_equal(set_username_of(600, 1), -ENAMETOOLONG);
}

static void the_whole_username_has_a_limit(void **state)
{
    char username[PASS_USERNAME_MAX + 2];
    struct pass_path path;

    (void)state;
    fill(username, 'x', PASS_USERNAME_MAX + 1);
    for (size_t i = 200; i < PASS_USERNAME_MAX; i += 200)
        username[i] = '/';
    assert_int_equal(pass_path_set_username(&path, username, PASS_USERNAME_MAX), 0);
    assert_int_equal(strlen(path.file), PASS_USERNAME_MAX + 4);
    assert_int_equal(pass_path_set_username(&path, username, PASS_USERNAME_MAX + 1), -ENAMETOOLONG);
    assert_int_equal(pass_path_set_username(&path, username, SIZE_MAX), -ENAMETOOLONG);
}

static void the_number_of_components_of_a_username_has_a_limit(void **state)
{
    char username[2 * PASS_USERNAME_SLASHES_MAX + 4];
    struct pass_path path;
    size_t size = 2 * PASS_USERNAME_SLASHES_MAX + 1;

    (void)state;
    for (size_t i = 0; i < sizeof(username); i++)
        username[i] = i % 2 ? '/' : 'a';
    assert_int_equal(pass_path_set_username(&path, username, size), 0);
    assert_int_equal(pass_path_set_username(&path, username, size + 2), -ENAMETOOLONG);
}

static void url_and_username_do_not_disturb_each_other(void **state)
{
    struct pass_path path;

    (void)state;
    assert_int_equal(pass_path_set_url(&path, "a", 1), 0);
    assert_int_equal(pass_path_set_username(&path, "user", 4), 0);
    assert_string_equal(path.directory, "YQ==");
    assert_string_equal(path.file, "user.gpg");
}

static void entries_end_in_gpg_with_something_before(void **state)
{
    static const struct { const char *name; bool is_entry; } cases[] = {
        {"a.gpg", true}, {".a.gpg", true}, {".gpg.gpg", true}, {"..gpg", true}, {" .gpg", true}, {"a.b.gpg", true},
        {".gpg", false}, {"", false}, {"gpg", false}, {"agpg", false}, {"a.gpg ", false}, {"a.GPG", false}, {"a.gpg~", false},
        {"a.gp", false}, {"a.age", false}, {".gpg-id", false}, {"README", false}, {".docker-credential-pass.tmp", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_case(cases[i].name, pass_path_is_entry(cases[i].name) == cases[i].is_entry);
}

static void a_directory_name_is_decoded_to_its_url(void **state)
{
    (void)state;
    for (size_t size = 1; size <= PASS_URL_MAX; size++) {
        char url[PASS_URL_MAX], again[256];
        struct pass_path path;
        size_t again_size;

        for (size_t i = 0; i < size; i++)
            url[i] = (char)(i * 7 + size);
        assert_int_equal(pass_path_set_url(&path, url, size), 0);
        assert_null(strchr(path.directory, '/'));
        assert_int_equal(pass_path_parse_directory(path.directory, again, &again_size), 0);
        assert_int_equal(again_size, size);
        assert_memory_equal(again, url, size);
    }
}

static void other_directory_names_are_refused(void **state)
{
    static const char *const cases[] = {
        "", ".", "..", ".git", "git", ".gpg-id", "a", "YQ", "YQ=", "YR==", "YQ==\n", "aHR0cHM6Ly9leGFtcGxlLmNvbQ", "a/b=", "a+b=",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char url[256];
        size_t size = 99;

        assert_case(cases[i], pass_path_parse_directory(cases[i], url, &size) == -EINVAL);
        assert_int_equal(size, 99);
    }
}

static void names_longer_than_any_file_name_are_refused(void **state)
{
    static const size_t sizes[] = {260, 1000, 4096};
    char name[4097], url[256];
    size_t size;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        fill(name, 'A', sizes[i]);
        assert_int_equal(pass_path_parse_directory(name, url, &size), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_becomes_a_directory_byte_for_byte),
        cmocka_unit_test(the_longest_url_fits_into_a_file_name),
        cmocka_unit_test(usernames_become_files),
        cmocka_unit_test(usernames_that_would_leave_the_directory_are_refused),
        cmocka_unit_test(parts_may_be_as_long_as_file_names),
        cmocka_unit_test(the_whole_username_has_a_limit),
        cmocka_unit_test(the_number_of_components_of_a_username_has_a_limit),
        cmocka_unit_test(url_and_username_do_not_disturb_each_other),
        cmocka_unit_test(entries_end_in_gpg_with_something_before),
        cmocka_unit_test(a_directory_name_is_decoded_to_its_url),
        cmocka_unit_test(other_directory_names_are_refused),
        cmocka_unit_test(names_longer_than_any_file_name_are_refused),
    };

    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
