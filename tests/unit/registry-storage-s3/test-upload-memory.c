/* The memory of all uploads of a server is bounded, and every upload makes progress. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/server-fixture.h"

/* PATIENT_MS is more than an upload may keep memory that others wait for. */
enum { PART = 2 << 20, MEMORY = 3 * PART, PIECE = 60 << 10, PATIENT_MS = 2100 };

/* Many uploads at once are small, so that a slow machine keeps the lease of the server. */
enum { SMALL_PART = 256 << 10, SMALL_MEMORY = 3 * SMALL_PART, UPLOADS = 12 };

static struct small_store *bucket;

static int set_up(void **state)
{
    (void)state;
    bucket = servers_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    servers_end();
    return 0;
}

/* Nothing is taken back from silent clients, so that the tests decide when clients give up. */
static struct store *open_small_server(unsigned number)
{
    return server_open_with_options(number, &(struct s3_options){.part_size = PART,
                                                                 .upload_memory = MEMORY,
                                                                 .upload_silent_ms = UINT_MAX});
}

static size_t count_memory(struct store *server)
{
    struct storage_request_counters counters;

    store_count_requests(server, &counters);
    return counters.upload_bytes;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* --- uploads ---------------------------------------------------------------------------------- */

/* An upload of bytes that its number determines. */
struct client {
    struct store *server;
    struct upload *upload;
    char *bytes;
    size_t size, sent;
};

static void client_start(struct client *client, struct store *server, unsigned number, size_t size)
{
    struct error err = {0};

    *client = (struct client){.server = server, .bytes = malloc(size), .size = size};
    for (size_t i = 0; i < size; i++)
        client->bytes[i] = (char)(i * 7 + i / 4093 + number);
    assert_int_equal(store_upload_create(server, "r", DIGEST_SHA256, &client->upload, &err), 0);
}

/* Sends a piece as an event thread or a worker does. Returns false if there is no memory. */
static bool client_send_piece(struct client *client)
{
    size_t size = client->size - client->sent < PIECE ? client->size - client->sent : PIECE;
    struct error err = {0};

    if (upload_would_wait(client->upload, size)) {
        int r = upload_reserve(client->upload, size, &err);

        if (r < 0)
            fail_msg("%s", err.text);
        if (r == STORE_BUSY)
            return false;
    }
    if (upload_write(client->upload, client->bytes + client->sent, size, &err) < 0)
        fail_msg("%s", err.text);
    client->sent += size;
    return true;
}

/* Sends up to that many bytes. Returns false if there is no memory for the next ones. */
static bool client_send(struct client *client, size_t end)
{
    while (client->sent < client->size && client->sent < end)
        if (!client_send_piece(client))
            return false;
    return true;
}

/* Returns false if there is no memory. */
static bool client_commit(struct client *client)
{
    struct error err = {0};
    struct digest digest;
    int r = upload_prepare_end(client->upload, &err);

    if (r == STORE_BUSY)
        return false;
    assert_int_equal(r, 0);
    assert_int_equal(digest_of(DIGEST_SHA256, client->bytes, client->size, &digest), 0);
    if (upload_commit(client->upload, &digest, NULL, &err) != 0)
        fail_msg("%s", err.text);
    return true;
}

static void check_blob(const struct client *client)
{
    struct store_reader *reader;
    struct store_blob blob;
    struct digest digest;
    struct error err = {0};
    char *found = malloc(client->size);
    size_t at = 0;

    assert_int_equal(digest_of(DIGEST_SHA256, client->bytes, client->size, &digest), 0);
    assert_int_equal(
        store_open_blob(client->server, "r", &digest, STORE_MAY_WAIT, &blob, &reader, &err), 0);
    assert_int_equal(blob.size, client->size);
    for (ssize_t n = 1; n > 0 && at < client->size; at += (size_t)n)
        n = store_reader_read(reader, at, found + at, client->size - at);
    assert_memory_equal(found, client->bytes, client->size);
    store_reader_close(reader);
    free(found);
}

static void client_end(struct client *client)
{
    upload_release(client->upload);
    free(client->bytes);
}

static void tell(void *object)
{
    __atomic_store_n((bool *)object, true, __ATOMIC_SEQ_CST);
}

/* As a connection does, which nobody else uses meanwhile. */
static void client_wait(struct client *client)
{
    bool is_told = false;

    if (!upload_notify(client->upload, tell, &is_told))
        return;
    while (!__atomic_load_n(&is_told, __ATOMIC_SEQ_CST))
        sleep_ms(1);
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void *upload_all(void *object)
{
    struct client *client = object;

    while (!client_send(client, client->size))
        client_wait(client);
    assert_true(count_memory(client->server) <= SMALL_MEMORY);
    while (!client_commit(client))
        client_wait(client);
    return NULL;
}

static void many_uploads_at_once_share_the_memory(void **state)
{
    const struct s3_options options = {.part_size = SMALL_PART, .upload_memory = SMALL_MEMORY};
    struct store *server = server_open_with_options(1, &options);
    struct client clients[UPLOADS];
    pthread_t threads[UPLOADS];

    (void)state;
    for (unsigned i = 0; i < UPLOADS; i++)
        client_start(&clients[i], server, i,
                     i % 3 == 0 ? SMALL_PART / 3 + i : 2 * SMALL_PART + SMALL_PART / 3 * i);
    for (unsigned i = 0; i < UPLOADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, upload_all, &clients[i]), 0);
    for (unsigned i = 0; i < UPLOADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < UPLOADS; i++) {
        check_blob(&clients[i]);
        client_end(&clients[i]);
    }
    assert_int_equal(count_memory(server), 0);
    store_close(server);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
    assert_int_equal(small_store_count_multiparts(bucket), 0);
}

static void those_who_wait_take_their_turns(void **state)
{
    struct store *server = open_small_server(1);
    struct client clients[5];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        client_start(&clients[i], server, i, PART + PART / 2);
        assert_int_equal(client_send(&clients[i], PART / 2), i < 3);
    }
    assert_true(clients[4].sent <= 64 << 10); /* it takes no more from its client */
    assert_false(client_send_piece(&clients[4]));
    client_end(&clients[0]);
    assert_false(client_send_piece(&clients[4]));
    assert_true(client_send_piece(&clients[3]));
    client_end(&clients[3]);
    assert_true(client_send_piece(&clients[4]));
    for (unsigned i = 1; i < 5; i++)
        if (i != 3)
            client_end(&clients[i]);
    assert_int_equal(count_memory(server), 0);
    store_close(server);
}

/* Whoever has all bytes of its client keeps no more memory than they need. */
static void an_upload_that_ends_gives_back_what_it_does_not_need(void **state)
{
    struct store *server = open_small_server(1);
    struct client client;
    struct error err = {0};

    (void)state;
    client_start(&client, server, 1, PART / 4);
    assert_true(client_send(&client, PART));
    assert_int_equal(count_memory(server), PART);
    assert_int_equal(upload_prepare_end(client.upload, &err), 0);
    assert_int_equal(count_memory(server), PART / 4);
    assert_true(client_commit(&client));
    client_end(&client);
    assert_int_equal(count_memory(server), 0);
    store_close(server);
}

/* --- slow clients ----------------------------------------------------------------------------- */

/* Three slow clients have the memory, and a fourth one does not wait for them for long. */
static void slow_clients_do_not_delay_others(void **state)
{
    struct store *server = open_small_server(1);
    struct client slow[3], fast;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        client_start(&slow[i], server, i, 2 * PART + PART / 2 + i);
        assert_true(client_send(&slow[i], PART / 2));
    }
    client_start(&fast, server, 3, 2 * PART);
    assert_false(client_send(&fast, fast.size));
    assert_true(client_send_piece(&slow[0]));
    assert_false(client_send(&fast, fast.size));
    sleep_ms(PATIENT_MS);
    assert_false(client_send_piece(&slow[0])); /* its bytes are in the store, and it is behind */
    assert_int_equal(small_store_count(bucket, "/tail-"), 1);
    for (unsigned i = 0; !client_send(&fast, fast.size); i++) {
        client_send_piece(&slow[i % 3]); /* each gives up as soon as its client sends more */
        assert_true(i < 6);
    }
    assert_true(client_commit(&fast));
    check_blob(&fast);
    client_end(&fast);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(client_send(&slow[i], slow[i].size));
        assert_true(client_commit(&slow[i]));
        check_blob(&slow[i]);
        client_end(&slow[i]);
    }
    assert_int_equal(count_memory(server), 0);
    store_close(server);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

/* The same if they send nothing at all. Their uploads go on when they do. */
static void silent_clients_do_not_delay_others(void **state)
{
    struct store *server = server_open_with_options(
        1, &(struct s3_options){.part_size = PART, .upload_memory = MEMORY});
    struct client silent[3], fast;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        client_start(&silent[i], server, i, PART + PART / 2 + i);
        assert_true(client_send(&silent[i], PART / 2));
    }
    client_start(&fast, server, 3, 2 * PART);
    while (!client_send(&fast, fast.size))
        client_wait(&fast);
    assert_true(small_store_count(bucket, "/tail-") > 0);
    while (!client_commit(&fast))
        client_wait(&fast);
    check_blob(&fast);
    client_end(&fast);
    for (unsigned i = 0; i < 3; i++) {
        while (!client_send(&silent[i], silent[i].size) || !client_commit(&silent[i]))
            client_wait(&silent[i]);
        check_blob(&silent[i]);
        client_end(&silent[i]);
    }
    assert_int_equal(count_memory(server), 0);
    store_close(server);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

/* While others wait, a slow upload goes on in pieces with little memory. */
static void slow_uploads_go_on_in_pieces(void **state)
{
    struct store *server = open_small_server(1);
    struct client slow[4];
    unsigned left = 4;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        client_start(&slow[i], server, i, 2 * PART + PART / 3);
    for (size_t round = 0; left > 0; round++) {
        for (unsigned i = 0; i < 4; i++) {
            if (!slow[i].upload || !client_send(&slow[i], slow[i].sent + PART / 4) ||
                slow[i].sent < slow[i].size || !client_commit(&slow[i]))
                continue;
            check_blob(&slow[i]);
            client_end(&slow[i]);
            slow[i].upload = NULL;
            left--;
        }
        sleep_ms(round < 4 ? PATIENT_MS : 1);
        assert_true(count_memory(server) <= MEMORY);
        assert_true(round < 100);
    }
    store_close(server);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

/* Bytes that the state object has stay acknowledged, although they left the memory. */
static void what_was_kept_survives_an_upload_that_gives_up(void **state)
{
    struct store *server = open_small_server(1), *other = open_small_server(2);
    struct client slow, others[3];
    struct error err = {0};
    char id[64];

    (void)state;
    client_start(&slow, server, 9, PART);
    assert_true(client_send(&slow, 1));
    snprintf(id, sizeof(id), "%s", upload_get_id(slow.upload));
    assert_int_equal(upload_keep(slow.upload, &err), 0);
    assert_true(client_send(&slow, PART / 2));
    for (unsigned i = 0; i < 3; i++) {
        client_start(&others[i], server, i, PART);
        client_send(&others[i], PART / 2);
    }
    sleep_ms(PATIENT_MS);
    client_send_piece(&slow);
    assert_int_equal(small_store_count(bucket, "/tail-"), 1);
    client_end(&slow); /* its memory is taken, so its last bytes are lost */
    assert_int_equal(store_upload_open(other, "r", id, &slow.upload, &err), 0);
    assert_int_equal(upload_get_size(slow.upload), PIECE);
    assert_int_equal(upload_cancel(slow.upload, &err), 0);
    upload_release(slow.upload);
    for (unsigned i = 0; i < 3; i++)
        client_end(&others[i]);
    store_close(server);
    store_close(other);
    assert_int_equal(small_store_count(bucket, "/tail-"), 2); /* of the others */
}

/* --- the number of parts ---------------------------------------------------------------------- */

static void an_upload_of_too_many_parts_fails_before_its_bytes_are_acknowledged(void **state)
{
    const struct s3_options options = {.part_size = 128 << 10, .parts_max = 3};
    struct store *server = server_open_with_options(1, &options);
    struct client client;
    struct error err = {0};

    (void)state;
    client_start(&client, server, 1, 3 * (128 << 10));
    assert_true(client_send(&client, client.size));
    assert_true(client_commit(&client));
    check_blob(&client);
    client_end(&client);
    client_start(&client, server, 2, 3 * (128 << 10));
    assert_true(client_send(&client, client.size));
    assert_int_equal(upload_write(client.upload, "x", 1, &err), 0);
    assert_int_equal(upload_keep(client.upload, &err), -EOVERFLOW);
    assert_says(&err, "set a larger storage.s3.chunksize");
    client_end(&client);
    store_close(server);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(many_uploads_at_once_share_the_memory),
        CASE(those_who_wait_take_their_turns),
        CASE(an_upload_that_ends_gives_back_what_it_does_not_need),
        CASE(slow_clients_do_not_delay_others),
        CASE(silent_clients_do_not_delay_others),
        CASE(slow_uploads_go_on_in_pieces),
        CASE(what_was_kept_survives_an_upload_that_gives_up),
        CASE(an_upload_of_too_many_parts_fails_before_its_bytes_are_acknowledged),
    };

    return cmocka_run_group_tests_name("s3-upload-memory", tests, NULL, NULL);
}
