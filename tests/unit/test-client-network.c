#include "common/client-network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "tests/unit/check.h"

static const struct { const char *address, *network; } cases[] = {
    {"192.0.2.1", "\4\xC0\0\2\1\0\0\0\0"},
    {"::ffff:192.0.2.1", "\4\xC0\0\2\1\0\0\0\0"},
    {"2001:db8::1", "\6\x20\1\x0D\xB8\0\0\0\0"},
    {"2001:db8:0:0:ffff::2", "\6\x20\1\x0D\xB8\0\0\0\0"},
    {"2001:db8:0:1::1", "\6\x20\1\x0D\xB8\0\0\0\1"},
    {"::1", "\6\0\0\0\0\0\0\0\0"},
};

static void text_is_taken_apart(void **state)
{
    unsigned char network[CLIENT_NETWORK_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        client_network_of_text(cases[i].address, network);
        assert_memory_equal(network, cases[i].network, sizeof(network));
    }
    client_network_of_text("fe80::1%eth0", network);
    assert_memory_equal(network, "\6\xFE\x80\0\0\0\0\0\0", sizeof(network));
    client_network_of_text("", network);
    assert_memory_equal(network, "\0\0\0\0\0\0\0\0\0", sizeof(network));
    client_network_of_text("a name that is not an address, and longer than any address", network);
    assert_memory_equal(network, "\0\0\0\0\0\0\0\0\0", sizeof(network));
}

static void addresses_of_sockets_are_the_same(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/s"};
    unsigned char network[CLIENT_NETWORK_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET};
        struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

        if (inet_pton(AF_INET, cases[i].address, &ipv4.sin_addr) == 1)
            client_network_of_socket((const struct sockaddr *)&ipv4, network);
        else if (inet_pton(AF_INET6, cases[i].address, &ipv6.sin6_addr) == 1)
            client_network_of_socket((const struct sockaddr *)&ipv6, network);
        assert_memory_equal(network, cases[i].network, sizeof(network));
    }
    client_network_of_socket((const struct sockaddr *)&un, network);
    assert_memory_equal(network, "\0\0\0\0\0\0\0\0\0", sizeof(network));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_taken_apart),
        cmocka_unit_test(addresses_of_sockets_are_the_same),
    };

    return cmocka_run_group_tests_name("client-network", tests, NULL, NULL);
}
