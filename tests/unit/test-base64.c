#include "common/base64.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

static const struct vector { const char *bytes; size_t size; const char *text; } vectors[] = {
    {"", 0, ""}, /* RFC 4648 section 10 */
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\xFB\xFF\xFE", 3, "-__-"}, /* the two characters that differ from standard base64 */
    {"\0\0\0", 3, "AAAA"},
    {"\0", 1, "AA=="},
    {"\xFF", 1, "_w=="},
    {"https://index.docker.io/v1/", 27, "aHR0cHM6Ly9pbmRleC5kb2NrZXIuaW8vdjEv"},
};

static void known_texts_are_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        char text[64];

        base64url_encode(vectors[i].bytes, vectors[i].size, text);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(base64url_encoded_size(vectors[i].size), strlen(vectors[i].text));
    }
}

static void known_texts_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        unsigned char bytes[64];
        size_t size = 99;

        assert_int_equal(base64url_decode(vectors[i].text, strlen(vectors[i].text), bytes, &size), 0);
        assert_int_equal(size, vectors[i].size);
        assert_memory_equal(bytes, vectors[i].bytes, size);
    }
}

static void the_standard_alphabet_has_two_other_characters(void **state)
{
    unsigned char bytes[64];
    size_t size = 99;

    (void)state;
    assert_int_equal(base64_decode("+//+Zg==", 8, bytes, &size), 0);
    assert_int_equal(size, 4);
    assert_memory_equal(bytes, "\xFB\xFF\xFE\x66", 4);
    assert_int_equal(base64_decode("-__-", 4, bytes, &size), -EINVAL);
    assert_int_equal(base64_decode("+///", 3, bytes, &size), -EINVAL);
}

static void non_canonical_text_is_refused(void **state)
{
    static const struct { const char *name, *text; size_t size; } cases[] = {
        {"one letter", "Z", 1},
        {"no padding after two letters", "Zg", 2},
        {"half the padding", "Zg=", 3},
        {"three letters", "Zm8", 3},
        {"five letters", "Zm9vY", 5},
        {"one letter, three pads", "Z===", 4},
        {"pads alone", "====", 4},
        {"a pad in front", "=g==", 4},
        {"a letter after a pad", "Zg=a", 4},
        {"padding before the end", "Zg==Zg==", 8},
        {"padding before the end", "Zm8=Zm9v", 8},
        {"four pads too many", "Zm9v====", 8},
        {"unused bits, two pads", "Zh==", 4},
        {"the highest of these bits", "Zo==", 4},
        {"unused bits, one pad", "Zm9=", 4},
        {"the highest of these bits", "Zm-=", 4},
        {"a character of standard base64", "Zm+v", 4},
        {"a character of standard base64", "Zm/v", 4},
        {"a newline", "Zm9\n", 4},
        {"a newline after the end", "Zm9v\n", 5},
        {"a blank", "Zm 9", 4},
        {"a NUL", "Zm9\0", 4},
        {"a NUL first", "\0m9v", 4},
        {"a byte above ASCII", "Zm9\xFF", 4},
        {"a dot", "Zm.v", 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = copy_exactly(cases[i].text, cases[i].size);
        unsigned char bytes[16];
        size_t size = 99;

        assert_case(cases[i].name, base64url_decode(text, cases[i].size, bytes, &size) == -EINVAL);
        assert_case(cases[i].name, size == 99);
        free(text);
    }
}

/* Returns how many of the 65536 texts "xy" + pads are accepted; each must encode to itself again. */
static int count_accepted(const char *pads)
{
    char text[5], again[5];
    unsigned char bytes[3];
    int accepted = 0;
    size_t size;

    snprintf(text, sizeof(text), "??%s", pads);
    for (int pair = 0; pair < 65536; pair++) {
        text[0] = (char)(pair >> 8);
        text[1] = (char)pair;
        if (base64url_decode(text, 4, bytes, &size) < 0)
            continue;
        base64url_encode(bytes, size, again);
        assert_memory_equal(text, again, 4);
        accepted++;
    }
    return accepted;
}

static void each_byte_has_exactly_one_text(void **state)
{
    (void)state;
    assert_int_equal(count_accepted("=="), 256);
    assert_int_equal(count_accepted("A="), 4096);
    assert_int_equal(count_accepted("AA"), 4096);
}

static void any_length_survives_a_round_trip(void **state)
{
    (void)state;
    for (size_t size = 0; size < 200; size++) {
        unsigned char bytes[200], again[204];
        char text[300];
        size_t decoded;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)(i * 37 + size * 101);
        base64url_encode(bytes, size, text);
        assert_int_equal(strlen(text), base64url_encoded_size(size));
        assert_int_equal(base64url_decode(text, strlen(text), again, &decoded), 0);
        assert_int_equal(decoded, size);
        assert_memory_equal(again, bytes, size);
    }
}

static void nothing_is_written_beyond_what_the_header_says(void **state)
{
    (void)state;
    for (size_t size = 0; size < 10; size++) {
        char text[20];
        unsigned char bytes[20];
        size_t encoded = base64url_encoded_size(size), decoded;

        fill(text, '#', sizeof(text) - 1);
        base64url_encode("123456789", size, text);
        assert_int_equal(text[encoded], '\0');
        assert_int_equal(text[encoded + 1], '#');
        fill((char *)bytes, '#', sizeof(bytes) - 1);
        assert_int_equal(base64url_decode(text, encoded, bytes, &decoded), 0);
        assert_int_equal(bytes[encoded / 4 * 3], '#');
    }
}

static void without_padding_each_text_has_one_form(void **state)
{
    static const char *const refused[] = {"A", "AAAAA", "AA==", "AAA=", "AB", "AAB", "A=", "=", "AA ", "A\nA", "A+", "AA/"};
    unsigned char bytes[20];
    size_t decoded;

    (void)state;
    for (size_t size = 0; size < 10; size++) {
        char text[20];
        size_t length = base64url_encode_bare("123456789", size, text);

        assert_int_equal(length, strlen(text));
        assert_null(strchr(text, '='));
        assert_int_equal(base64url_decode_bare(text, strlen(text), bytes, &decoded), 0);
        assert_int_equal(decoded, size);
        assert_memory_equal(bytes, "123456789", size);
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_case(refused[i], base64url_decode_bare(refused[i], strlen(refused[i]), bytes, &decoded) == -EINVAL);
}

static void empty_input_is_encoded_as_empty_text(void **state)
{
    char text[1] = {'#'};

    (void)state;
    base64url_encode(NULL, 0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_are_encoded),
        cmocka_unit_test(known_texts_are_decoded),
        cmocka_unit_test(the_standard_alphabet_has_two_other_characters),
        cmocka_unit_test(non_canonical_text_is_refused),
        cmocka_unit_test(each_byte_has_exactly_one_text),
        cmocka_unit_test(any_length_survives_a_round_trip),
        cmocka_unit_test(nothing_is_written_beyond_what_the_header_says),
        cmocka_unit_test(without_padding_each_text_has_one_form),
        cmocka_unit_test(empty_input_is_encoded_as_empty_text),
    };

    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
