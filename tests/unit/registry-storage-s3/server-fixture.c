#include "tests/unit/registry-storage-s3/server-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "registry/storage/s3/s3.h"
#include "tests/unit/check.h"

enum { SERVERS_MAX = 64 };

/* What a server's storage releases when it is closed. */
struct server {
    struct keyring *keyring;
    struct s3_client *client;
    struct disk_cache *cache; /* NULL: none */
};

static struct small_store *bucket;

struct small_store *servers_start(void)
{
    bucket = small_store_new();
    return bucket;
}

void servers_end(void)
{
    small_store_free(bucket);
}

static void release(void *object)
{
    struct server *server = object;

    disk_cache_free(server->cache);
    s3_client_free(server->client);
    keyring_free(server->keyring);
    free(server);
}

/* With the first work, so that a server that is cut off later need not wait for its lease. */
static void take_lease(struct storage *storage)
{
    const struct storage_step step = {.kind = STORAGE_PUT, .key = "registryd/tests"};
    struct error err = {0};

    if (storage_write(storage, &step, 1, &err) != 0)
        fail_msg("%s", err.text);
}

static void start_cache(struct server *server, const char *directory)
{
    const struct disk_cache_options options = {.directory = directory, .max = 16 << 20};
    struct storage_copy_counters counters = {0};
    struct error err = {0};

    if (disk_cache_new(&options, &server->cache, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(disk_cache_start(server->cache, &err), 0);
    while (!counters.is_ready) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        disk_cache_count(server->cache, &counters);
    }
}

static struct store *open_server(unsigned number, struct s3_options options, const char *cache)
{
    static const struct secbuf secret = {.data = (unsigned char *)"s", .size = 1, .capacity = 1};
    struct server *server = calloc(1, sizeof(*server));
    struct error err = {0};
    struct storage *storage;
    struct store *store;
    char access[16];

    assert_non_null(server);
    snprintf(access, sizeof(access), "AK-%u-", number);
    const struct keyring_options keys = {.access = access, .secret = &secret};
    const struct s3_client_options client_options = {
        .endpoint = small_store_get_endpoint(bucket),
        .bucket = "bucket",
        .region = "us-east-1",
        .deadline_ms = 600000,
        .transport = {.connections = 16, .connect_ms = 600000, .idle_s = 600},
    };

    assert_int_equal(keyring_new(&keys, &server->keyring, &err), 0);
    assert_int_equal(s3_client_new(&client_options, server->keyring, &server->client, &err), 0);
    if (cache)
        start_cache(server, cache);
    options.client = server->client;
    options.cache = server->cache;
    options.root = "";
    options.release = release;
    options.object = server;
    if (s3_open(&options, &storage, &err) < 0)
        fail_msg("%s", err.text);
    if (!cache)
        take_lease(storage);
    assert_int_equal(store_open(storage, &store, &err), 0);
    return store;
}

struct store *server_open_with_options(unsigned number, const struct s3_options *options)
{
    return open_server(number, *options, NULL);
}

struct store *server_open_with_parts(unsigned number, size_t part_size)
{
    return open_server(number, (struct s3_options){.part_size = part_size}, NULL);
}

struct store *server_open_with_cache(unsigned number, const char *directory)
{
    return open_server(number, (struct s3_options){0}, directory);
}

struct store *server_open(unsigned number)
{
    return open_server(number, (struct s3_options){0}, NULL);
}
