#include "helper/pass/gpg-id.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static void assert_ids(const char *text, const char *expected)
{
    CLEANUP_FREE char *copy = copy_exactly(text, strlen(text));
    CLEANUP_FREE char *ids = NULL;

    assert_case(text, gpg_id_parse(copy, strlen(text), &ids) == 0);
    assert_string_equal(ids, expected);
}

static void each_line_is_an_id(void **state)
{
    (void)state;
    assert_ids("A\n", "A\n");
    assert_ids("A\nB\nC\n", "A\nB\nC\n");
    assert_ids("0123456789ABCDEF0123456789ABCDEF01234567\n", "0123456789ABCDEF0123456789ABCDEF01234567\n");
    assert_ids("0xDEADBEEF!\n<a@b.c>\n=A B <a@b.c>\n@b.c\n*text\n", "0xDEADBEEF!\n<a@b.c>\n=A B <a@b.c>\n@b.c\n*text\n");
    assert_ids("a\na\n", "a\na\n");
    assert_ids("--always-trust\n", "--always-trust\n"); /* gpg handles this */
}

static void the_last_line_may_lack_its_newline(void **state)
{
    (void)state;
    assert_ids("A", "A\n");
    assert_ids("A\nB", "A\nB\n");
}

static void spaces_at_both_ends_are_dropped(void **state)
{
    (void)state;
    assert_ids("  A \t\n", "A\n");
    assert_ids("\v\fA\f\v\n", "A\n");
    assert_ids("\tTeam Key  One \n", "Team Key  One\n");
}

static void carriage_returns_are_dropped(void **state)
{
    (void)state;
    assert_ids("A\r\nB\r\n", "A\nB\n");
    assert_ids("A\r\n\r\nB\r", "A\nB\n");
    assert_ids("\r\n", "");
}

static void empty_lines_are_skipped(void **state)
{
    (void)state;
    assert_ids("\n\nA\n\n \n\t\nB\n\n", "A\nB\n");
}

static void comments_end_an_id(void **state)
{
    (void)state;
    assert_ids("# all of it\nA\n", "A\n");
    assert_ids("A # Alice\nB#Bob\n  #\n", "A\nB\n");
    assert_ids("A ## B\n", "A\n");
    assert_ids("A # last", "A\n");
    assert_ids("#", "");
}

static void an_empty_file_has_no_id(void **state)
{
    CLEANUP_FREE char *ids = NULL;

    (void)state;
    assert_ids("", "");
    assert_ids("\n", "");
    assert_ids(" \t\r\n#\n", "");
    assert_int_equal(gpg_id_parse(NULL, 0, &ids), 0);
    assert_string_equal(ids, "");
}

static void bytes_above_ascii_are_part_of_an_id(void **state)
{
    (void)state;
    assert_ids("J\xC3\xB6rg\n\xFF\xFE\n", "J\xC3\xB6rg\n\xFF\xFE\n");
    assert_ids("\xC2\xA0" "A\n", "\xC2\xA0" "A\n");
}

static void a_nul_is_refused(void **state)
{
    static const struct { const char *name, *text; size_t size; } cases[] = {
        {"alone", "\0", 1}, {"first", "\0A\n", 3}, {"last", "A\n\0", 3}, {"in an id", "A\0B\n", 4},
        {"in a comment", "A #\0\n", 5}, {"UTF-16", "A\0\n\0", 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *text = copy_exactly(cases[i].text, cases[i].size);
        char *ids = NULL;

        assert_case(cases[i].name, gpg_id_parse(text, cases[i].size, &ids) == -EINVAL);
        assert_null(ids);
    }
}

static void many_ids_are_all_read(void **state)
{
    enum { COUNT = 20000 };
    char *text = malloc(2 * COUNT + 1);
    CLEANUP_FREE char *ids = NULL;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < 2 * COUNT; i++)
        text[i] = i % 2 ? '\n' : 'A';
    assert_int_equal(gpg_id_parse(text, 2 * COUNT, &ids), 0);
    assert_int_equal(strlen(ids), 2 * COUNT);
    assert_memory_equal(ids, text, 2 * COUNT);
    free(text);
}

static void words_are_separated_by_spaces(void **state)
{
    static const struct { const char *text, *ids; } cases[] = {
        {"", ""}, {" ", ""}, {" \t\n", ""}, {"A", "A\n"}, {"A B", "A\nB\n"}, {"  A\t\tB\nC ", "A\nB\nC\n"},
        {"a b c d e", "a\nb\nc\nd\ne\n"}, {"A#B", "A#B\n"}, {"<a@b.c>", "<a@b.c>\n"}, {"'A", "'A\n"}, {"0xA!", "0xA!\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *text = copy_exactly(cases[i].text, strlen(cases[i].text) + 1);
        CLEANUP_FREE char *ids = NULL;

        assert_int_equal(gpg_id_parse_words(text, &ids), 0);
        assert_string_equal(ids, cases[i].ids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_an_id),
        cmocka_unit_test(the_last_line_may_lack_its_newline),
        cmocka_unit_test(spaces_at_both_ends_are_dropped),
        cmocka_unit_test(carriage_returns_are_dropped),
        cmocka_unit_test(empty_lines_are_skipped),
        cmocka_unit_test(comments_end_an_id),
        cmocka_unit_test(an_empty_file_has_no_id),
        cmocka_unit_test(bytes_above_ascii_are_part_of_an_id),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(many_ids_are_all_read),
        cmocka_unit_test(words_are_separated_by_spaces),
    };

    return cmocka_run_group_tests_name("gpg-id", tests, NULL, NULL);
}
