#include "registry/storage/s3/bucket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "registry/storage/s3/s3.h"
#include "registry/storage/s3/xml.h"

enum {
    CONNECTIONS = 64,
    DEADLINE_MS = 20000, /* for a request with all of its tries */
    CONNECT_MS = 5000,
    IDLE_S = 15,
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
};

#define SERVER_SIDE_ENCRYPTION "x-amz-server-side-encryption"

struct s3_bucket {
    struct bucket bucket;
    char *endpoint, *name, *region, *root, *key_id, *storage_class, *acl;
    char *host; /* of the endpoint, without the port */
    unsigned port;
    struct s3_client_options client_options; /* of the text above */
    struct s3_options options;
    struct keyring *keyring;
    struct s3_client *client;
    struct disk_cache *cache; /* NULL: none */
};

static struct s3_bucket *bucket_of(const struct bucket *bucket)
{
    return (struct s3_bucket *)bucket;
}

static void s3_bucket_free(struct s3_bucket *bucket)
{
    disk_cache_free(bucket->cache);
    s3_client_free(bucket->client);
    keyring_free(bucket->keyring);
    free(bucket->endpoint);
    free(bucket->name);
    free(bucket->region);
    free(bucket->root);
    free(bucket->key_id);
    free(bucket->storage_class);
    free(bucket->acl);
    free(bucket->host);
    free(bucket);
}

static void free_bucket(struct bucket *bucket)
{
    s3_bucket_free(bucket_of(bucket));
}

static const char *get_origin(const struct bucket *bucket)
{
    return keyring_get_origin(bucket_of(bucket)->keyring);
}

static const char *get_authorities(const struct bucket *base)
{
    const struct s3_bucket *bucket = bucket_of(base);
    const struct key_endpoint *keys = keyring_get_endpoint(bucket->keyring);
    bool is_encrypted = strncmp(bucket->endpoint, "https://", strlen("https://")) == 0;
    bool is_checked = is_encrypted && !bucket->client_options.transport.skips_verify;

    return is_checked || (keys && keys->is_encrypted) ? transport_get_authorities() : NULL;
}

static const char *get_token_file(const struct bucket *bucket)
{
    const struct key_endpoint *keys = keyring_get_endpoint(bucket_of(bucket)->keyring);

    return keys ? keys->token_file : NULL;
}

static void get_ports(const struct bucket *bucket, unsigned ret[BUCKET_PORTS_MAX])
{
    const struct key_endpoint *keys = keyring_get_endpoint(bucket_of(bucket)->keyring);

    ret[0] = bucket_of(bucket)->port;
    ret[1] = keys ? keys->port : 0;
    ret[2] = 0;
}

/* --- opening --------------------------------------------------------------------------------- */

static int open_bucket(struct bucket *base, struct storage **ret, struct error *err)
{
    struct s3_bucket *bucket = bucket_of(base);
    int r = keyring_start(bucket->keyring, err);

    if (r == 0)
        r = s3_client_new(&bucket->client_options, bucket->keyring, &bucket->client, err);
    if (r == 0 && bucket->cache)
        r = disk_cache_start(bucket->cache, err);
    bucket->options.client = bucket->client;
    bucket->options.cache = bucket->cache;
    if (r == 0)
        r = s3_open(&bucket->options, ret, err);
    if (r < 0) {
        (void)error_wrap(err, "cannot use the bucket %s at %s", bucket->name, bucket->endpoint);
        s3_bucket_free(bucket);
    }
    return r;
}

static int use_cache(struct bucket *bucket, const struct disk_cache_options *options,
                     struct error *err)
{
    return disk_cache_new(options, &bucket_of(bucket)->cache, err);
}

static const struct bucket_functions functions = {
    .open = open_bucket,
    .use_cache = use_cache,
    .free = free_bucket,
    .get_origin = get_origin,
    .get_authorities = get_authorities,
    .get_token_file = get_token_file,
    .get_ports = get_ports,
};

/* --- preparing ------------------------------------------------------------------------------- */

static int copy(const char *text, char **ret)
{
    *ret = strdup(text ? text : "");
    return *ret ? 0 : -ENOMEM;
}

static int copy_texts(const struct bucket_options *options, struct s3_bucket *bucket)
{
    int r = copy(options->endpoint, &bucket->endpoint);

    if (r == 0)
        r = copy(options->bucket, &bucket->name);
    if (r == 0)
        r = copy(options->region, &bucket->region);
    if (r == 0)
        r = copy(options->root, &bucket->root);
    if (r == 0)
        r = copy(options->key_id, &bucket->key_id);
    if (r == 0)
        r = copy(options->storage_class, &bucket->storage_class);
    return r == 0 ? copy(options->acl, &bucket->acl) : r;
}

/* "https://host", "https://host:port", "https://[address]:port" */
static int split_endpoint(struct s3_bucket *bucket)
{
    const char *start = strstr(bucket->endpoint, "://"), *end, *colon;

    start = start ? start + 3 : bucket->endpoint;
    end = *start == '[' ? strchr(start, ']') : NULL;
    colon = strchr(end ? end : start, ':');
    bucket->port = strncmp(bucket->endpoint, "https", 5) == 0 ? PORT_HTTPS : PORT_HTTP;
    if (colon)
        bucket->port = (unsigned)strtoul(colon + 1, NULL, 10);
    if (end)
        bucket->host = strndup(start + 1, (size_t)(end - start - 1));
    else
        bucket->host = colon ? strndup(start, (size_t)(colon - start)) : strdup(start);
    return bucket->host ? 0 : -ENOMEM;
}

static void add_header(struct s3_bucket *bucket, const char *name, const char *value)
{
    if (*value)
        bucket->options.headers[bucket->options.header_count++] = (struct s3_pair){name, value};
}

static void release(void *bucket)
{
    s3_bucket_free(bucket);
}

static void set_options(const struct bucket_options *options, struct s3_bucket *bucket)
{
    bucket->client_options = (struct s3_client_options){
        .endpoint = bucket->endpoint,
        .bucket = bucket->name,
        .region = bucket->region,
        .has_bucket_in_host = options->has_bucket_in_host,
        .deadline_ms = DEADLINE_MS,
        .transport = {.connections = CONNECTIONS,
                      .skips_verify = options->skips_verify,
                      .connect_ms = CONNECT_MS,
                      .idle_s = IDLE_S},
    };
    bucket->options.root = bucket->root;
    bucket->options.release = release;
    bucket->options.object = bucket;
    bucket->options.part_size = options->part_size;
    bucket->options.copy_part_size = options->copy_part_size;
    bucket->options.copy_threshold = options->copy_threshold;
    if (options->is_encrypted)
        add_header(bucket, SERVER_SIDE_ENCRYPTION, *bucket->key_id ? "aws:kms" : "AES256");
    add_header(bucket, SERVER_SIDE_ENCRYPTION "-aws-kms-key-id", bucket->key_id);
    add_header(bucket, "x-amz-storage-class", bucket->storage_class);
    add_header(bucket, "x-amz-acl", bucket->acl);
}

/*
 * The result does not matter: the name is resolved again for each connection. But the C library
 * loads what /etc/nsswitch.conf names when it resolves the first one, which it could not do later.
 */
static void resolve_once(const char *host)
{
    struct addrinfo *found = NULL;

    if (getaddrinfo(host, NULL, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &found) ==
        0)
        freeaddrinfo(found);
}

static int prepare(const struct bucket_options *options, struct bucket **ret, struct error *err)
{
    struct s3_bucket *bucket = calloc(1, sizeof(*bucket));
    struct keyring_options keys = options->keys;
    int r;

    if (!bucket)
        return error_set_oom(err);
    keys.region = options->region;
    bucket->bucket.functions = &functions;
    r = copy_texts(options, bucket) < 0 || split_endpoint(bucket) < 0 ? error_set_oom(err) : 0;
    if (r == 0)
        r = transport_load(err);
    if (r == 0)
        r = xml_load(err);
    if (r == 0)
        r = keyring_new(&keys, &bucket->keyring, err);
    if (r < 0) {
        s3_bucket_free(bucket);
        return r;
    }
    set_options(options, bucket);
    resolve_once(bucket->host);
    if (keyring_get_endpoint(bucket->keyring))
        resolve_once(keyring_get_endpoint(bucket->keyring)->host);
    *ret = &bucket->bucket;
    return 0;
}

const struct bucket_module registryd_bucket_module = {.version = PACKAGE_VERSION,
                                                      .prepare = prepare};
