#include "common/network.h"

#include <errno.h>

#include "tests/unit/check.h"

static bool contains(const char *network, const char *address)
{
    struct network parsed;

    assert_int_equal(network_parse(network, &parsed), 0);
    return network_contains(&parsed, address);
}

static void a_network_contains_its_addresses(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.0.1"));
    assert_false(contains("10.0.0.0/8", "11.0.0.1"));
    assert_true(contains("192.0.2.128/25", "192.0.2.129"));
    assert_false(contains("192.0.2.128/25", "192.0.2.127"));
    assert_true(contains("192.0.2.1", "192.0.2.1"));
    assert_false(contains("192.0.2.1", "192.0.2.2"));
    assert_true(contains("0.0.0.0/0", "203.0.113.7"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(contains("::1", "::1"));
}

static void ipv4_is_the_same_in_ipv6(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_false(contains("0.0.0.0/0", "2001:db8::1"));
    assert_true(contains("::/0", "10.0.0.1"));
}

static void unix_is_no_address(void **state)
{
    (void)state;
    assert_true(contains("unix", ""));
    assert_false(contains("unix", "127.0.0.1"));
    assert_false(contains("0.0.0.0/0", ""));
    assert_false(contains("::/0", ""));
    assert_false(contains("::/0", "example.com"));
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const wrong[] = {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "10.0.0/8",
                                        "10.0.0.0/ 8", "/8", "1.2.3.4.5", "10.0.0.0/1000",
                                        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd"};
    struct network network;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(network_parse(wrong[i], &network), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_contains_its_addresses),
        cmocka_unit_test(ipv4_is_the_same_in_ipv6),
        cmocka_unit_test(unix_is_no_address),
        cmocka_unit_test(what_is_no_network_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
