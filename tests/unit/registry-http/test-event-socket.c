#include "registry/http/event-socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"

struct pair {
    int client, epoll;
    struct event_socket server;
};

static int connect_pair(void **state)
{
    static struct pair pair;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    pair.client = fds[0];
    pair.epoll = epoll_create1(0);
    event_socket_init(&pair.server, fds[1]);
    assert_int_equal(epoll_ctl(pair.epoll, EPOLL_CTL_ADD, fds[1], &event), 0);
    *state = &pair;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;

    close(pair->client);
    close(pair->epoll);
    close(pair->server.fd);
    return 0;
}

/* Records the events from epoll; returns false if there are none. */
static bool poll_once(struct pair *pair)
{
    struct epoll_event event;

    if (epoll_wait(pair->epoll, &event, 1, 0) != 1)
        return false;
    event_socket_note(&pair->server, event.events);
    return true;
}

static void a_read_waits_for_epoll(void **state)
{
    struct pair *pair = *state;
    char text[16];

    assert_int_equal(write(pair->client, "abc", 3), 3);
    assert_int_equal(event_socket_read(&pair->server, text, sizeof(text)), -EAGAIN);
    assert_true(poll_once(pair));
    assert_int_equal(event_socket_read(&pair->server, text, sizeof(text)), 3);
    assert_false(pair->server.is_readable); /* a short read: no more data */
    assert_int_equal(write(pair->client, "d", 1), 1);
    assert_true(poll_once(pair));
    assert_int_equal(event_socket_read(&pair->server, text, sizeof(text)), 1);
}

static void the_rest_after_a_full_read_can_be_read(void **state)
{
    struct pair *pair = *state;
    char text[2];

    assert_int_equal(write(pair->client, "abc", 3), 3);
    assert_true(poll_once(pair));
    assert_int_equal(event_socket_read(&pair->server, text, sizeof(text)), 2);
    assert_int_equal(event_socket_read(&pair->server, text, sizeof(text)), 1);
}

/* epoll reports data and end of file together, and does not repeat the end of file. */
static void the_end_is_seen_after_a_short_read(void **state)
{
    struct pair *pair = *state;
    char text[16];

    assert_int_equal(write(pair->client, "abc", 3), 3);
    assert_int_equal(shutdown(pair->client, SHUT_WR), 0);
    assert_true(poll_once(pair));
    assert_int_equal(event_socket_read(&pair->server, text, sizeof(text)), 3);
    assert_int_equal(event_socket_read(&pair->server, text, sizeof(text)), 0);
}

static void a_full_socket_is_reported_when_it_is_writable(void **state)
{
    struct pair *pair = *state;
    static char block[64 << 10];
    ssize_t n;

    do
        n = event_socket_write(&pair->server, block, sizeof(block), 0);
    while (n > 0);
    assert_int_equal(n, -EAGAIN);
    assert_false(pair->server.is_writable);
    while (recv(pair->client, block, sizeof(block), MSG_DONTWAIT) > 0)
        continue;
    while (!pair->server.is_writable)
        assert_true(poll_once(pair));
    assert_true(event_socket_write(&pair->server, block, 1, 0) == 1);
}

static void a_disconnected_client_is_an_error(void **state)
{
    struct pair *pair = *state;

    close(pair->client);
    assert_int_equal(event_socket_write(&pair->server, "a", 1, 0), -EPIPE);
    pair->client = dup(pair->server.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_read_waits_for_epoll, connect_pair, close_pair),
        cmocka_unit_test_setup_teardown(the_rest_after_a_full_read_can_be_read, connect_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(the_end_is_seen_after_a_short_read, connect_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_full_socket_is_reported_when_it_is_writable, connect_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_disconnected_client_is_an_error, connect_pair,
                                        close_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
