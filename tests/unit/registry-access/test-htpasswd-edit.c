#include "registry/access/htpasswd-edit.h"

#include <errno.h>
#include <string.h>

#include "registry/access/htpasswd.h"
#include "tests/unit/check.h"

#define OLD "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define NEW "$2y$04$DDDDDDDDDDDDDDDDDDDDD.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

static struct htpasswd_text text_of(const char *literal)
{
    return (struct htpasswd_text){.text = copy_exactly(literal, strlen(literal)),
                                  .size = strlen(literal)};
}

/* Returns the hash that registryd then finds for the user, or NULL. */
static void check_user_has(const struct htpasswd_text *text, const char *user, const char *hash)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
    const struct htpasswd_user *found;
    char *copy = copy_exactly(text->text, text->size);

    assert_int_equal(htpasswd_parse(copy, text->size, &table), 0);
    found = htpasswd_find(table, user, strlen(user));
    if (!hash)
        assert_null(found);
    else
        assert_memory_equal(found->hash, hash, BCRYPT_SIZE);
}

static const struct edit {
    const char *name, *before, *after;
} settings[] =
    {
        {"replaced", "a:x\nu:" OLD "\nb:y\n", "a:x\nu:" NEW "\nb:y\n"},
        {"replaced in a last line without a line end", "a:x\nu:" OLD, "a:x\nu:" NEW "\n"},
        {"carriage returns stay", "a:x\r\nu:" OLD "\r\n# c\r\n", "a:x\r\nu:" NEW "\r\n# c\r\n"},
        {"a last line without an end gets that of the others", "a:x\r\nu:" OLD,
         "a:x\r\nu:" NEW "\r\n"},
        {"comments, spaces, order stay", "# c:x\n\n  \n z:1 \n#u:x\n\tu:" OLD " \n\n",
         "# c:x\n\n  \n z:1 \n#u:x\nu:" NEW "\n\n"},
        {"every line of the user", "u:1\na:x\nu:" OLD "\n", "u:" NEW "\na:x\nu:" NEW "\n"},
        {"names with the same prefix", "uu:x\nu:" OLD "\nau:x\nu :x\n",
         "uu:x\nu:" NEW "\nau:x\nu :x\n"},
        {"more fields", "u:" OLD ":more\n", "u:" NEW "\n"},
        {"no hash at all", "u:\n", "u:" NEW "\n"},
        {"a byte order mark", "\xEF\xBB\xBFu:" OLD "\n", "\xEF\xBB\xBFu:" NEW "\n"},
},
  additions[] = {
      {"nothing", "", "u:" NEW "\n"},
      {"appended", "a:x\n", "a:x\nu:" NEW "\n"},
      {"appended by the file's line ends", "a:x\r\n", "a:x\r\nu:" NEW "\r\n"},
      {"a last line without an end", "a:x", "a:x\nu:" NEW "\n"},
      {"a last line without an end among carriage returns", "# c\r\na:x",
       "# c\r\na:x\r\nu:" NEW "\r\n"},
      {"a comment is not a user", "#u:x\n", "#u:x\nu:" NEW "\n"},
      {"a mark alone", "\xEF\xBB\xBF", "\xEF\xBB\xBFu:" NEW "\n"},
      {"a name without ':'", "u\n", "u\nu:" NEW "\n"},
};

static void check_set(const struct edit *edit, int expected)
{
    CLEANUP(htpasswd_text_done) struct htpasswd_text before = text_of(edit->before), after = {0};

    assert_case(edit->name, htpasswd_text_set(&before, "u", NEW, &after) == expected);
    assert_case(edit->name,
                after.size == strlen(edit->after) && strcmp(after.text, edit->after) == 0);
    check_user_has(&after, "u", NEW);
}

static void a_user_is_set_and_nothing_else_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        check_set(&settings[i], 0);
    for (size_t i = 0; i < ARRAY_SIZE(additions); i++)
        check_set(&additions[i], HTPASSWD_NO_SUCH_USER);
}

static const struct edit removals[] = {
    {"in the middle", "a:x\nu:y\nb:z\n", "a:x\nb:z\n"},
    {"alone", "u:y\n", ""},
    {"all of them", "u:1\n# u\n u:2\r\nb:3", "# u\nb:3"},
    {"the last without an end", "a:x\nu:y", "a:x\n"},
    {"behind a mark", "\xEF\xBB\xBFu:y\na:x\n",
     "\xEF\xBB\xBF"
     "a:x\n"},
    {"a mark that comes first by it", "u:y\n\xEF\xBB\xBFu:z\n", "\xEF\xBB\xBF\xEF\xBB\xBFu:z\n"},
};

static void a_user_is_removed_and_nothing_else_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(removals); i++) {
        CLEANUP(htpasswd_text_done)
        struct htpasswd_text before = text_of(removals[i].before),
                             after = {0};

        assert_case(removals[i].name, htpasswd_text_remove(&before, "u", &after) == 0);
        assert_case(removals[i].name, after.size == strlen(removals[i].after) &&
                                          strcmp(after.text, removals[i].after) == 0);
        check_user_has(&after, "u", NULL);
    }
}

static void removing_an_unknown_user_changes_nothing(void **state)
{
    static const char *const texts[] = {"", "a:x\n", "#u:x\n", "uu:x\n", "u\n", "U:x", "u :x\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(htpasswd_text_done) struct htpasswd_text before = text_of(texts[i]), after = {0};

        assert_case(texts[i], htpasswd_text_remove(&before, "u", &after) == HTPASSWD_NO_SUCH_USER);
        assert_null(after.text);
    }
}

static void other_kinds_of_files_are_detected(void **state)
{
    static const struct {
        const char *text;
        size_t line;
    } texts[] = {
        {"", 0},  {"a:x\n\n  # c\n \t\r\n", 0}, {"a:x\nnonsense\nmore\n", 2},
        {"x", 1}, {"\xEF\xBB\xBFx\n", 1},       {"\xEF\xBB\xBF# c\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(htpasswd_text_done) struct htpasswd_text text = text_of(texts[i].text);

        assert_case(texts[i].text, htpasswd_text_find_stranger(&text) == texts[i].line);
    }
}

static void names_with_special_characters_are_refused(void **state)
{
    static const char *const names[] = {"",   "a:b", "a\nb",  "#u",
                                        " u", "u ",  "a\x7f", "\xEF\xBB\xBFu"};
    char longest[HTPASSWD_USER_MAX + 2];
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_case(names[i], htpasswd_check_user(names[i], &err) == -EINVAL);
    fill(longest, 'u', HTPASSWD_USER_MAX);
    assert_int_equal(htpasswd_check_user(longest, &err), 0);
    fill(longest, 'u', HTPASSWD_USER_MAX + 1);
    assert_int_equal(htpasswd_check_user(longest, &err), -EMSGSIZE);
    assert_int_equal(htpasswd_check_user("a b@example.com#", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_set_and_nothing_else_changes),
        cmocka_unit_test(a_user_is_removed_and_nothing_else_changes),
        cmocka_unit_test(removing_an_unknown_user_changes_nothing),
        cmocka_unit_test(other_kinds_of_files_are_detected),
        cmocka_unit_test(names_with_special_characters_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
