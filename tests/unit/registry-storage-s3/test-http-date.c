#include "registry/storage/s3/http-date.h"

#include <errno.h>

#include "tests/unit/check.h"

static void dates_are_read(void **state)
{
    int64_t seconds = 0;

    (void)state;
    assert_int_equal(http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT", &seconds), 0);
    assert_int_equal(seconds, 784111777); /* the example of RFC 9110 */
    assert_int_equal(http_date_parse("Mon, 29 Feb 2100 00:00:00 GMT", &seconds), 0);
    assert_int_equal(http_date_parse("Thu, 01 Jan 1970 00:00:00 GMT", &seconds), 0);
    assert_int_equal(seconds, 0);
}

static const char *const invalid[] = {
    "",
    "Sun",
    "Sun, ",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 GMT+1",
    "Sun, 32 Nov 1994 08:49:37 GMT",
    "Sun, 06 ovD 1994 08:49:37 GMT",
    "Sun, 06 No 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 -8:49:37 GMT",
};

static void what_is_no_date_is_refused(void **state)
{
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
        assert_case(invalid[i], http_date_parse(invalid[i], &seconds) == -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(what_is_no_date_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
