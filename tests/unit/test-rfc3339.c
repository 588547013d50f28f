#include "common/rfc3339.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static void formats_seconds_since_1970(void **state)
{
    char text[RFC3339_SIZE];

    (void)state;
    rfc3339_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    rfc3339_format(1796024505, text);
    assert_string_equal(text, "2026-11-30T07:41:45Z");
    rfc3339_format(253402300799, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    rfc3339_format(INT64_MAX, text);
    assert_string_equal(text, "");
}

static void parses_only_what_it_formats(void **state)
{
    static const char *const wrong[] = {
        "",
        "never",
        "2026-11-30",
        "2026-11-30T07:41:45",
        "2026-11-30T07:41:45z",
        "2026-11-30T07:41:45+00:00",
        "2026-11-30T07:41:45Zx",
        " 2026-11-30T07:41:45Z",
        "2026-02-30T07:41:45Z",
        "2026-11-30T24:00:00Z",
        "2026-11-30T7:41:45Z",
        "2026-11-30T07:41:45.5Z",
        "22222222222222222222222222222026-11-30T07:41:45Z",
    };
    int64_t seconds = -1;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(rfc3339_parse(wrong[i], strlen(wrong[i]), &seconds), -EINVAL);
    assert_int_equal(seconds, -1);
    assert_int_equal(rfc3339_parse("2026-11-30T07:41:45Z allow", 20, &seconds), 0);
    assert_int_equal(seconds, 1796024505);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_seconds_since_1970),
        cmocka_unit_test(parses_only_what_it_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
