#include "common/error.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static void setting_fills_code_and_text(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set(&err, EINVAL, "the file %s has %d lines", "a.txt", 3), -EINVAL);
    assert_int_equal(err.code, EINVAL);
    assert_string_equal(err.text, "the file a.txt has 3 lines");
}

static void setting_again_replaces(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, EINVAL, "a rather long first text");
    assert_int_equal(error_set(&err, EIO, "short"), -EIO);
    assert_int_equal(err.code, EIO);
    assert_string_equal(err.text, "short");
}

static void errno_adds_the_system_s_text(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set_errno(&err, ENOENT, "cannot open %s", "x"), -ENOENT);
    assert_int_equal(err.code, ENOENT);
    assert_string_equal(err.text, "cannot open x: No such file or directory");
}

static void wrapping_puts_text_before(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, EACCES, "50%% of %s", "it");
    assert_int_equal(error_wrap(&err, "reading %s", "a.txt"), -EACCES);
    assert_int_equal(err.code, EACCES);
    assert_string_equal(err.text, "reading a.txt: 50% of it");
}

static void control_characters_become_question_marks(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, EIO, "a%sz", "\x01\t\n\r\x1B[0m\x1F\x7F");
    assert_string_equal(err.text, "a?????[0m??z");
    error_set_errno(&err, EIO, "a\nb");
    assert_string_equal(err.text, "a?b: Input/output error");
    error_wrap(&err, "c\nd");
    assert_string_equal(err.text, "c?d: a?b: Input/output error");
}

static void terminal_sequences_become_question_marks(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, EIO, "a%sz", "\xC2\x9B" "2J\x9B" "2J\xE2\x80\xAE\xFF\xC3");
    assert_string_equal(err.text, "a?2J?2J???z");
}

static void text_beyond_ascii_stays(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, EIO, "caf\xC3\xA9 \xE2\x82\xAC ~");
    assert_string_equal(err.text, "caf\xC3\xA9 \xE2\x82\xAC ~");
}

/* For any length, the text ends within its object (valgrind and the sanitizers check this). */
static void long_text_is_cut(void **state)
{
    char *longest = malloc(5000);
    struct error *err = malloc(sizeof(*err));

    (void)state;
    assert_true(longest && err);
    for (size_t size = sizeof(err->text) - 40; size < sizeof(err->text) + 5; size++) {
        fill(longest, 'x', size);
        error_set(err, EIO, "%s", longest);
        assert_int_equal(strlen(err->text), size < sizeof(err->text) ? size : sizeof(err->text) - 1);
        assert_int_equal(error_set_errno(err, EIO, "%s", longest), -EIO);
        assert_true(strlen(err->text) < sizeof(err->text));
        assert_int_equal(error_wrap(err, "%s", longest), -EIO);
        assert_true(strlen(err->text) < sizeof(err->text));
    }
    free(longest);
    free(err);
}

static void a_full_text_can_be_wrapped(void **state)
{
    char *longest = malloc(5000);
    struct error err;

    (void)state;
    assert_non_null(longest);
    fill(longest, 'x', 4999);
    error_set(&err, EIO, "%s", longest);
    error_wrap(&err, "reading");
    assert_int_equal(strncmp(err.text, "reading: xxx", 12), 0);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    free(longest);
}

static void the_error_object_is_optional(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, EINVAL, "text"), -EINVAL);
    assert_int_equal(error_set_errno(NULL, ENOENT, "text"), -ENOENT);
    assert_true(error_wrap(NULL, "text") < 0);
    assert_int_equal(error_set_oom(NULL), -ENOMEM);
}

static void out_of_memory_has_its_own_text(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set_oom(&err), -ENOMEM);
    assert_int_equal(err.code, ENOMEM);
    assert_string_equal(err.text, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_fills_code_and_text),
        cmocka_unit_test(setting_again_replaces),
        cmocka_unit_test(errno_adds_the_system_s_text),
        cmocka_unit_test(wrapping_puts_text_before),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(terminal_sequences_become_question_marks),
        cmocka_unit_test(text_beyond_ascii_stays),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(a_full_text_can_be_wrapped),
        cmocka_unit_test(the_error_object_is_optional),
        cmocka_unit_test(out_of_memory_has_its_own_text),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
