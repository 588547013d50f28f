#include "registry/spec/name.h"

#include <string.h>

#include "common/random.h"
#include "tests/unit/check.h"

static bool holds(bool (*is_name)(const char *, size_t), const char *text)
{
    size_t size = strlen(text);
    CLEANUP_FREE char *copy = copy_exactly(text, size);

    return is_name(copy, size);
}

static void repositories_have_such_names(void **state)
{
    static const char *const names[] = {
        "a",
        "0",
        "library/ubuntu",
        "a/b/c/d/e",
        "a.b",
        "a_b",
        "a__b",
        "a-b",
        "a---b",
        "a--------------b/c",
        "a.b_c__d-e--f/0.1",
        "blobs/uploads",
        "a/manifests/b",
        "tags/list",
        "v2",
        "123/456",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_case(names[i], holds(name_is_repository, names[i]));
}

static void repositories_have_no_other_names(void **state)
{
    static const char *const names[] = {
        "",         "/",      "A",    "UPPER",    "aB",   "/a",    "a/",   "a//b", ".",
        "..",       "a/..",   "../a", "a/./b",    ".a",   "a.",    "a..b", "_a",   "a_",
        "a___b",    "a____b", "-a",   "a-",       "a--",  "a._b",  "a-_b", "a.-b", "a_-b",
        "a/-b",     "a/_b",   "a-/b", "a b",      "a\tb", "a\x01", "a:b",  "a@b",  "a%2fb",
        "\xC3\xA9", "a\\b",   "a+b",  "_catalog", "a\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_case(names[i], !holds(name_is_repository, names[i]));
    assert_false(name_is_repository("a\0b", 3));
    assert_false(name_is_repository("a\0", 2));
}

static void the_longest_repository_has_255_bytes(void **state)
{
    char name[300];

    (void)state;
    fill(name, 'a', 255);
    assert_true(holds(name_is_repository, name));
    name[100] = '/';
    assert_true(holds(name_is_repository, name));
    name[255] = 'a';
    name[256] = '\0';
    assert_false(holds(name_is_repository, name));
}

static void tags_are_words_with_dots_and_dashes(void **state)
{
    static const char *const good[] = {"latest", "v1.0", "_",    "_a",         "0",    "A",
                                       "a.",     "a-",   "a..b", "sha256-abc", "UPPER"};
    static const char *const bad[] = {"",    ".",   "..",  ".a",  "-",        "-a",
                                      "a/b", "a:b", "a b", "a+b", "\xC3\xA9", "a\n"};
    char longest[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_case(good[i], holds(name_is_tag, good[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_case(bad[i], !holds(name_is_tag, bad[i]));
    fill(longest, 'x', 128);
    assert_true(holds(name_is_tag, longest));
    fill(longest, 'x', 129);
    assert_false(holds(name_is_tag, longest));
    assert_false(name_is_tag("a\0", 2));
}

static void uploads_are_named_by_uuids(void **state)
{
    static const char *const bad[] = {
        "",
        "b7ca11ad-725e-4177-a6d7-b66b8316f80",
        "b7ca11ad-725e-4177-a6d7-b66b8316f80e0",
        "B7CA11AD-725E-4177-A6D7-B66B8316F80E",
        "b7ca11ad0725e-4177-a6d7-b66b8316f80e",
        "b7ca11ad-725e-4177-a6d7-b66b8316f80g",
        "b7ca11ad-725e-4177-a6d7-b66b8316f8-e",
        "../../../../../../../../../../../../",
        "b7ca11ad-725e-4177-a6d7_b66b8316f80e",
    };
    char made[RANDOM_UUID_SIZE];

    (void)state;
    assert_true(holds(name_is_upload, "b7ca11ad-725e-4177-a6d7-b66b8316f80e"));
    assert_true(holds(name_is_upload, "00000000-0000-0000-0000-000000000000"));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_case(bad[i], !holds(name_is_upload, bad[i]));
    random_uuid(made);
    assert_true(holds(name_is_upload, made));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repositories_have_such_names),
        cmocka_unit_test(repositories_have_no_other_names),
        cmocka_unit_test(the_longest_repository_has_255_bytes),
        cmocka_unit_test(tags_are_words_with_dots_and_dashes),
        cmocka_unit_test(uploads_are_named_by_uuids),
    };

    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
