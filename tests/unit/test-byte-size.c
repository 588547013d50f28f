#include "common/byte-size.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static void sizes_have_a_number_and_a_unit(void **state)
{
    static const struct { const char *text; uint64_t bytes; } cases[] = {
        {"1B", 1},           {"500MB", 500000000},        {"500MiB", UINT64_C(500) << 20},
        {"2TB", 2000000000000}, {"10kB", 10000},          {"10KB", 10000},
        {"10KiB", 10240},    {"1GiB", UINT64_C(1) << 30}, {"0050GB", UINT64_C(50000000000)},
        {"9PB", UINT64_C(9000000000000000)}, {"9223372036854775807B", INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t bytes = 0;

        assert_int_equal(byte_size_parse(cases[i].text, strlen(cases[i].text), &bytes), 0);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {"",     "B",    "5",    "5 GB", "5G",   "GB",   "-5GB", "5iB",
                                        "5GiBB", "5XB", "5Gi",  "5.5GB", "0GB", "5gb",  "5GBi", "+5GB"};
    static const char *const large[] = {"9223372036854775808B", "99999999999999999999B", "9300PB",
                                        "8192PiB", "99999PiB"};
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(byte_size_parse(texts[i], strlen(texts[i]), &bytes), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(large); i++)
        assert_int_equal(byte_size_parse(large[i], strlen(large[i]), &bytes), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_a_number_and_a_unit),
        cmocka_unit_test(other_texts_are_refused),
    };

    return cmocka_run_group_tests_name("byte-size", tests, NULL, NULL);
}
