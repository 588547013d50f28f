#include "common/random.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "tests/unit/check.h"

/* The probability that all bytes are unchanged is 2^-64. */
static void bytes_are_filled_to_the_last_and_no_further(void **state)
{
    unsigned char bytes[10] = {0};
    unsigned seen[10] = {0};

    (void)state;
    for (int round = 0; round < 64; round++) {
        random_bytes(bytes + 1, 8);
        for (size_t i = 0; i < sizeof(bytes); i++)
            seen[i] |= bytes[i];
    }
    assert_int_equal(seen[0], 0);
    assert_int_equal(seen[9], 0);
    for (size_t i = 1; i < 9; i++)
        assert_int_not_equal(seen[i], 0);
    random_bytes(bytes, 0);
}

static void do_nothing(int signal)
{
    (void)signal;
}

static void set_timer(suseconds_t interval)
{
    struct itimerval timer = {.it_interval.tv_usec = interval, .it_value.tv_usec = interval};

    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Signals can shorten the kernel's answer. */
static void an_interrupted_answer_is_completed(void **state)
{
    enum { SIZE = 16 << 20, TAIL = 4096 };
    static unsigned char bytes[SIZE];
    struct sigaction action = {.sa_handler = do_nothing};
    size_t zeros = 0;

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    set_timer(2000);
    random_bytes(bytes, SIZE);
    set_timer(0);
    for (size_t i = SIZE - TAIL; i < SIZE; i++)
        zeros += bytes[i] == 0;
    assert_true(zeros < TAIL / 32);
}

static void uuids_are_version_4_and_differ(void **state)
{
    enum { COUNT = 100 };
    char uuids[COUNT][RANDOM_UUID_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        random_uuid(uuids[i]);
        assert_int_equal(strlen(uuids[i]), RANDOM_UUID_SIZE - 1);
        assert_true(uuids[i][8] == '-' && uuids[i][13] == '-' && uuids[i][18] == '-' &&
                    uuids[i][23] == '-');
        assert_int_equal(uuids[i][14], '4');
        assert_non_null(strchr("89ab", uuids[i][19]));
        assert_int_equal(strspn(uuids[i], "0123456789abcdef-"), RANDOM_UUID_SIZE - 1);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(uuids[i], uuids[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_filled_to_the_last_and_no_further),
        cmocka_unit_test(an_interrupted_answer_is_completed),
        cmocka_unit_test(uuids_are_version_4_and_differ),
    };

    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
