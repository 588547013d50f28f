#include "common/utf8.h"

#include <string.h>

#include "tests/unit/check.h"

static void valid_sequences_are_read_whole(void **state)
{
    static const struct { const char *text; uint32_t code_point; } cases[] = {
        {"a", 'a'}, {"\x7F", 0x7F}, {"\xC2\x80", 0x80}, {"\xDF\xBF", 0x7FF}, {"\xE0\xA0\x80", 0x800},
        {"\xE2\x82\xAC", 0x20AC}, {"\xED\x9F\xBF", 0xD7FF}, {"\xEE\x80\x80", 0xE000}, {"\xEF\xBF\xBD", 0xFFFD},
        {"\xEF\xBF\xBF", 0xFFFF}, {"\xF0\x90\x80\x80", 0x10000}, {"\xF0\x9F\x98\x80", 0x1F600},
        {"\xF4\x8F\xBF\xBF", 0x10FFFF},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = strlen(cases[i].text);
        unsigned char *text = copy_exactly(cases[i].text, size);
        uint32_t code_point;

        assert_int_equal(utf8_decode(text, size, &code_point), size);
        assert_int_equal(code_point, cases[i].code_point);
        free(text);
    }
}

static void each_invalid_byte_is_replaced(void **state)
{
    static const char *const cases[] = {
        "\x80", "\xBF", "\x80\x80",                                     /* not a first byte */
        "\xC0\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", /* overlong */
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80", "\xED\xAF\xBF", "\xED\xB0\x80", "\xED\xBF\xBF", /* surrogates */
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF", /* too high */
        "\xC2", "\xE2\x82", "\xE2", "\xF0\x9F\x98", "\xF0\x9F", "\xF0", /* cut off */
        "\xC2\x41", "\xE2\x82\x41", "\xE2\x41\x82", "\xF0\x9F\x98\x41", "\xF0\x41\x98\x80", "\xC2\xC2\x80",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = strlen(cases[i]);
        unsigned char *text = copy_exactly(cases[i], size);
        uint32_t code_point;

        assert_int_equal(utf8_decode(text, size, &code_point), 1);
        assert_int_equal(code_point, UTF8_REPLACEMENT);
        free(text);
    }
}

/* A literal implementation of RFC 3629 section 3, for comparison. */
static size_t encode(uint32_t c, unsigned char *out)
{
    static const unsigned char firsts[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = length; i-- > 1; c >>= 6)
        out[i] = (unsigned char)(0x80 | (c & 0x3F));
    out[0] = (unsigned char)(firsts[length] | c);
    return length;
}

static void every_code_point_except_surrogates_is_read(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 7) {
        bool is_surrogate = c >= 0xD800 && c <= 0xDFFF;
        unsigned char text[4];
        uint32_t code_point;
        size_t length = encode(c, text), taken = utf8_decode(text, length, &code_point);

        if (taken != (is_surrogate ? 1 : length) || code_point != (is_surrogate ? UTF8_REPLACEMENT : c))
            fail_msg("U+%04X is read as U+%04X in %zu bytes", (unsigned int)c, (unsigned int)code_point, taken);
    }
}

static void a_nul_is_a_character_like_any_other(void **state)
{
    uint32_t code_point = 1;

    (void)state;
    assert_int_equal(utf8_decode((const unsigned char *)"\0a", 2, &code_point), 1);
    assert_int_equal(code_point, 0);
}

static void white_space_is_that_of_unicode(void **state)
{
    static const uint32_t spaces[] = {
        0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
        0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
    };
    size_t found = 0;

    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (!utf8_is_space(c))
            continue;
        assert_true(found < ARRAY_SIZE(spaces));
        assert_int_equal(c, spaces[found++]);
    }
    assert_int_equal(found, ARRAY_SIZE(spaces));
}

static void white_space_is_trimmed_only_at_the_ends(void **state)
{
    static const struct { const char *text, *trimmed; } cases[] = {
        {"", ""},
        {"a", "a"},
        {" a", "a"},
        {"a ", "a"},
        {"\t\v\f\r\n a b \n\r\f\v\t", "a b"},
        {" \t\n", ""},
        {"\xC2\x85\xC2\xA0x\xC2\xA0\xC2\x85", "x"},                        /* U+0085, U+00A0 */
        {"\xE3\x80\x80x\xE3\x80\x80y\xE3\x80\x80", "x\xE3\x80\x80y"},      /* U+3000 */
        {"\xE2\x80\xA8x\xE2\x80\xA9", "x"},                                /* U+2028, U+2029 */
        {"\xE2\x80\x8Bx\xE2\x80\x8B", "\xE2\x80\x8Bx\xE2\x80\x8B"},        /* U+200B is not white space */
        {"\xEF\xBB\xBFx", "\xEF\xBB\xBFx"},                                /* a BOM is not white space */
        {"\x85x\xA0", "\x85x\xA0"},                                        /* bytes, not code points */
        {" \xC2", "\xC2"},
        {"x\xE3\x80", "x\xE3\x80"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = strlen(cases[i].text), trimmed;
        unsigned char *text = copy_exactly(cases[i].text, size);
        const unsigned char *start;

        utf8_trim(text, size, &start, &trimmed);
        assert_int_equal(trimmed, strlen(cases[i].trimmed));
        assert_memory_equal(start, cases[i].trimmed, trimmed);
        assert_true(start >= text && start + trimmed <= text + size);
        free(text);
    }
}

static void trimming_does_not_stop_at_a_nul(void **state)
{
    const unsigned char text[] = " \0 a ";
    const unsigned char *start;
    size_t size;

    (void)state;
    utf8_trim(text, 5, &start, &size);
    assert_ptr_equal(start, text + 1);
    assert_int_equal(size, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_sequences_are_read_whole),
        cmocka_unit_test(each_invalid_byte_is_replaced),
        cmocka_unit_test(every_code_point_except_surrogates_is_read),
        cmocka_unit_test(a_nul_is_a_character_like_any_other),
        cmocka_unit_test(white_space_is_that_of_unicode),
        cmocka_unit_test(white_space_is_trimmed_only_at_the_ends),
        cmocka_unit_test(trimming_does_not_stop_at_a_nul),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
