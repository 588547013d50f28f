#include "registry/config/duration.h"

#include <errno.h>

#include "tests/unit/check.h"

/* The expected values are from Go 1.19's time.ParseDuration. */
static const struct { const char *text; uint64_t ms;
} durations[] = {
    {"0", 0},
    {"+0", 0},
    {"-0", 0},
    {"0s", 0},
    {"-0s", 0},
    {"168h", 168ull * 3600 * 1000},
    {"24h", 24ull * 3600 * 1000},
    {"1m30s", 90000},
    {"10s", 10000},
    {"+5s", 5000},
    {"1.5s", 1500},
    {".5s", 500},
    {"1.s", 1000},
    {"500ms", 500},
    {"1h0m0.5s", 3600500},
    {"0.001s", 1},
    {"1ms1ms", 2},
    {"5s1h", 3605000},
    /* less than one becomes one, because 0 has another meaning */
    {"1ns", 1},
    {"1us", 1},
    {"1\xC2\xB5s", 1},
    {"1\xCE\xBCs", 1},
    {"1000001ns", 2},
    {"0.0000005s", 1},
    {"0.0000000000000000000000000000000001h", 0},
    {"0.33333333333333333333h", 1200000},
    {"2562047h47m16.854775807s", 9223372036855},
};

static const struct { const char *text; int error;
} refused[] = {
    {"", -EINVAL},
    {"1", -EINVAL},
    {"-", -EINVAL},
    {"+", -EINVAL},
    {"s", -EINVAL},
    {".", -EINVAL},
    {".s", -EINVAL},
    {"1d", -EINVAL},
    {"1w", -EINVAL},
    {"1 h", -EINVAL},
    {" 1h", -EINVAL},
    {"1h ", -EINVAL},
    {"1H", -EINVAL},
    {"1h30", -EINVAL},
    {"1e3s", -EINVAL},
    {"0x1s", -EINVAL},
    {"1,5s", -EINVAL},
    {"--1s", -EINVAL},
    {"1s-1s", -EINVAL},
    {"00", -EINVAL},
    {"never", -EINVAL},
    {"1.1.1s", -EINVAL},
    {"1\xC2s", -EINVAL},
    {"-1s", -ERANGE},
    {"-1ns", -ERANGE},
    {"2562047h47m16.854775808s", -ERANGE},
    {"9223372036854775808ns", -ERANGE},
    {"18446744073709551617ns", -ERANGE},
    {"99999999999999999999999h", -ERANGE},
    {"2562048h", -ERANGE},
};

static void go_s_durations_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
        uint64_t ms = 77;

        assert_case(durations[i].text, duration_parse(durations[i].text, &ms) == 0);
        assert_case(durations[i].text, ms == durations[i].ms);
    }
}

static void invalid_durations_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        uint64_t ms = 77;

        assert_case(refused[i].text, duration_parse(refused[i].text, &ms) == refused[i].error);
        assert_case(refused[i].text, ms == 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(go_s_durations_are_read),
        cmocka_unit_test(invalid_durations_are_refused),
    };

    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
