#include "registry/http/tls-session.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "registry/http/tls.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/*
 * A GnuTLS client in this thread. Data that it sends while is_holding is set is sent later in one
 * call.
 */
struct world {
    struct tls_context *context;
    struct tls_session *session;
    struct event_socket socket;
    int epoll, client_fd;
    gnutls_session_t client;
    gnutls_certificate_credentials_t credentials;
    bool is_holding;
    size_t held_size;
    char held[8192];
};

/* --- a certificate ----------------------------------------------------------------------- */

static void write_file(const char *path, const gnutls_datum_t *datum)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(datum->data, 1, datum->size, file), datum->size);
    assert_int_equal(fclose(file), 0);
}

static void load_certificate(void)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t datum;
    struct error err;
    char directory[] = "/tmp/test-tls-session.XXXXXX", path[64], key_path[64];

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/cert", directory);
    snprintf(key_path, sizeof(key_path), "%s/key", directory);
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, "1", 1);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 3600);
    gnutls_x509_crt_set_dn(certificate, "CN=localhost", NULL);
    gnutls_x509_crt_set_key(certificate, key);
    assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &datum), 0);
    write_file(path, &datum);
    gnutls_free(datum.data);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &datum), 0);
    write_file(key_path, &datum);
    gnutls_free(datum.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    assert_int_equal(tls_load(path, key_path, &err), 0);
    unlink(path);
    unlink(key_path);
    rmdir(directory);
}

/* --- the client -------------------------------------------------------------------------- */

static ssize_t client_push(gnutls_transport_ptr_t transport, const void *data, size_t size)
{
    struct world *world = transport;

    if (!world->is_holding)
        return send(world->client_fd, data, size, MSG_NOSIGNAL);
    assert_true(world->held_size + size <= sizeof(world->held));
    memcpy(world->held + world->held_size, data, size);
    world->held_size += size;
    return (ssize_t)size;
}

static void client_release(struct world *world)
{
    world->is_holding = false;
    assert_int_equal(send(world->client_fd, world->held, world->held_size, 0),
                     (ssize_t)world->held_size);
    world->held_size = 0;
}

static ssize_t client_pull(gnutls_transport_ptr_t transport, void *ret_data, size_t size)
{
    return recv(((struct world *)transport)->client_fd, ret_data, size, 0);
}

static void poll_server(struct world *world)
{
    struct epoll_event event;

    while (epoll_wait(world->epoll, &event, 1, 0) == 1)
        event_socket_note(&world->socket, event.events);
}

static void shake_hands(struct world *world)
{
    int client = GNUTLS_E_AGAIN, server = -EAGAIN;

    for (int i = 0; i < 20 && (client != 0 || server != 0); i++) {
        if (client != 0)
            client = gnutls_handshake(world->client);
        poll_server(world);
        if (server != 0)
            server = tls_session_handshake(world->session);
    }
    assert_int_equal(client, 0);
    assert_int_equal(server, 0);
}

static int set_up_with(void **state, int type)
{
    static struct world world;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    struct error err;
    int fds[2];

    world = (struct world){0};
    load_certificate();
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
    world.client_fd = fds[0];
    world.epoll = epoll_create1(0);
    event_socket_init(&world.socket, fds[1]);
    assert_int_equal(epoll_ctl(world.epoll, EPOLL_CTL_ADD, fds[1], &event), 0);
    assert_int_equal(tls_context_new(&(struct tls_options){0}, &world.context, &err), 0);
    world.session = tls_session_new(world.context, &world.socket);
    assert_non_null(world.session);
    assert_int_equal(gnutls_init(&world.client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_set_default_priority(world.client), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&world.credentials), 0);
    assert_int_equal(
        gnutls_credentials_set(world.client, GNUTLS_CRD_CERTIFICATE, world.credentials), 0);
    gnutls_transport_set_ptr(world.client, &world);
    gnutls_transport_set_push_function(world.client, client_push);
    gnutls_transport_set_pull_function(world.client, client_pull);
    *state = &world;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, SOCK_STREAM);
}

/* Each send(2) corresponds to one recv(2). */
static int set_up_packets(void **state)
{
    return set_up_with(state, SOCK_SEQPACKET);
}

static int tear_down(void **state)
{
    struct world *world = *state;

    gnutls_deinit(world->client);
    gnutls_certificate_free_credentials(world->credentials);
    tls_session_free(world->session);
    tls_context_free(world->context);
    tls_unload();
    close(world->client_fd);
    close(world->socket.fd);
    close(world->epoll);
    return 0;
}

/* --- the cases --------------------------------------------------------------------------- */

static void bytes_go_both_ways(void **state)
{
    struct world *world = *state;
    char text[16];

    shake_hands(world);
    assert_int_equal(gnutls_record_send(world->client, "hello", 5), 5);
    poll_server(world);
    assert_int_equal(tls_session_read(world->session, text, sizeof(text)), 5);
    assert_int_equal(tls_session_read(world->session, text, sizeof(text)), -EAGAIN);
    assert_int_equal(tls_session_write(world->session, "world", 5), 5);
    assert_int_equal(gnutls_record_recv(world->client, text, sizeof(text)), 5);
}

/*
 * GnuTLS returns after each protocol message; data that arrived with it must not wait for the next
 * event.
 */
static void a_request_together_with_a_key_update_is_read(void **state)
{
    struct world *world = *state;
    char text[16];

    shake_hands(world);
    world->is_holding = true;
    assert_int_equal(gnutls_session_key_update(world->client, GNUTLS_KU_PEER), 0);
    assert_int_equal(gnutls_record_send(world->client, "hello", 5), 5);
    client_release(world);
    poll_server(world);
    assert_int_equal(tls_session_read(world->session, text, sizeof(text)), 5);
    assert_int_equal(tls_session_write(world->session, "world", 5), 5);
    assert_int_equal(gnutls_record_recv(world->client, text, sizeof(text)),
                     GNUTLS_E_AGAIN); /* the server's update */
    assert_int_equal(gnutls_record_recv(world->client, text, sizeof(text)), 5);
}

/*
 * Alerts, which TLS 1.2 allows at any time, cost the client nothing. A read that finds only alerts
 * ends, so that other connections have their turn.
 */
static void a_stream_of_alerts_does_not_hold_the_thread(void **state)
{
    struct world *world = *state;
    char text[16];
    unsigned turns = 0;
    ssize_t n;

    assert_int_equal(
        gnutls_priority_set_direct(world->client, "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL), 0);
    shake_hands(world);
    world->is_holding = true;
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            gnutls_alert_send(world->client, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION), 0);
    assert_int_equal(gnutls_record_send(world->client, "hello", 5), 5);
    client_release(world);
    poll_server(world);
    while ((n = tls_session_read(world->session, text, sizeof(text))) == -EINTR)
        turns++;
    assert_int_equal(n, 5);
    assert_int_equal(turns, 3);
}

/* The server's handshake messages wake the client only once. */
static void a_flight_leaves_in_one_call(void **state)
{
    struct world *world = *state;
    char bytes[8192];
    ssize_t first;

    assert_int_equal(gnutls_handshake(world->client), GNUTLS_E_AGAIN);
    poll_server(world);
    assert_int_equal(tls_session_handshake(world->session), -EAGAIN);
    first = recv(world->client_fd, bytes, sizeof(bytes), 0);
    assert_true(first > 500); /* ServerHello, Certificate, CertificateVerify and Finished */
    assert_int_equal(recv(world->client_fd, bytes, sizeof(bytes), 0), -1);
}

static void close_notify_differs_from_a_truncation(void **state)
{
    struct world *world = *state;
    char text[16];

    shake_hands(world);
    assert_int_equal(gnutls_record_send(world->client, "hello", 5), 5);
    assert_int_equal(gnutls_bye(world->client, GNUTLS_SHUT_WR), 0);
    poll_server(world);
    assert_int_equal(tls_session_read(world->session, text, sizeof(text)), 5);
    assert_int_equal(tls_session_read(world->session, text, sizeof(text)), 0);
}

static void a_truncation_is_an_error(void **state)
{
    struct world *world = *state;
    char text[16];

    shake_hands(world);
    assert_int_equal(shutdown(world->client_fd, SHUT_WR), 0);
    poll_server(world);
    assert_int_equal(tls_session_read(world->session, text, sizeof(text)), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_together_with_a_key_update_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stream_of_alerts_does_not_hold_the_thread, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_flight_leaves_in_one_call, set_up_packets, tear_down),
        cmocka_unit_test_setup_teardown(close_notify_differs_from_a_truncation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_truncation_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
