/*
 * A client: where its bucket is, and what its requests share.
 */
#include "registry/storage/s3/client-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/condition.h"
#include "registry/storage/s3/xml.h"

int64_t s3_client_now(struct s3_client *client)
{
    return store_clock_read(&client->clock);
}

/* --- making and freeing ---------------------------------------------------------------------- */

static int set_address(struct s3_client *client, const struct s3_client_options *options,
                       struct error *err)
{
    const char *host = strstr(options->endpoint, "://");
    int r;

    if (!host)
        return error_set(err, EINVAL,
                         "%s: the endpoint of a bucket must begin with http:// or https://",
                         options->endpoint);
    host += strlen("://");
    r = asprintf(&client->host, "%s%s%s", options->has_bucket_in_host ? options->bucket : "",
                 options->has_bucket_in_host ? "." : "", host);
    if (r >= 0)
        r = asprintf(&client->base, "%.*s%s", (int)(host - options->endpoint), options->endpoint,
                     client->host);
    if (r < 0)
        return error_set_oom(err);
    client->place = (struct s3_place){.base = client->base,
                                      .host = client->host,
                                      .bucket = client->bucket,
                                      .region = client->region,
                                      .has_bucket_in_host = options->has_bucket_in_host};
    return 0;
}

int s3_client_new(const struct s3_client_options *options, struct keyring *keyring,
                  struct s3_client **ret, struct error *err)
{
    struct s3_client *client = calloc(1, sizeof(*client));
    int r;

    if (!client)
        return error_set_oom(err);
    store_clock_init(&client->clock);
    pthread_mutex_init(&client->mutex, NULL);
    condition_init(&client->changed);
    client->end_ms = INT64_MAX;
    client->deadline_ms = options->deadline_ms;
    client->keyring = keyring;
    client->bucket = strdup(options->bucket);
    client->region = strdup(options->region);
    client->breaker = breaker_new();
    r = client->bucket && client->region && client->breaker ? 0 : error_set_oom(err);
    if (r == 0)
        r = set_address(client, options, err);
    if (r == 0)
        r = xml_load(err);
    if (r == 0)
        r = transport_new(&options->transport, &client->transport, err);
    if (r < 0) {
        s3_client_free(client);
        return r;
    }
    *ret = client;
    return 0;
}

void s3_client_free(struct s3_client *client)
{
    if (!client)
        return;
    transport_free(client->transport);
    breaker_free(client->breaker);
    store_clock_done(&client->clock);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->mutex);
    free(client->bucket);
    free(client->region);
    free(client->host);
    free(client->base);
    free(client);
}

const char *s3_client_get_bucket(const struct s3_client *client)
{
    return client->bucket;
}

bool s3_client_is_down(struct s3_client *client)
{
    struct breaker_counters counters;

    breaker_count(client->breaker, &counters);
    return counters.is_open;
}

void s3_client_end_at(struct s3_client *client, int64_t moment_ms)
{
    pthread_mutex_lock(&client->mutex);
    client->end_ms = moment_ms;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
    keyring_end_at(client->keyring, moment_ms);
    transport_end_at(client->transport, moment_ms);
}

int64_t s3_client_get_end(struct s3_client *client)
{
    int64_t end_ms;

    pthread_mutex_lock(&client->mutex);
    end_ms = client->end_ms;
    pthread_mutex_unlock(&client->mutex);
    return end_ms;
}

void s3_client_count(struct s3_client *client, struct storage_request_counters *ret)
{
    struct breaker_counters requests;
    struct keyring_counters keys;

    breaker_count(client->breaker, &requests);
    keyring_count(client->keyring, &keys);
    *ret = (struct storage_request_counters){
        .requests = requests.requests,
        .retries = __atomic_load_n(&client->retries, __ATOMIC_RELAXED),
        .failures = requests.failures,
        .refused = requests.refused,
        .renewals = keys.renewals,
        .renewal_failures = keys.failures,
        .is_down = requests.is_open,
    };
}

/* --- addresses ------------------------------------------------------------------------------- */

int s3_client_presign(struct s3_client *client, const struct s3_request *request, char **ret,
                      struct error *err)
{
    CLEANUP(prepared_done) struct prepared prepared = {0};
    struct keys *keys;
    int r = keyring_get(client->keyring, &keys, err);

    if (r < 0)
        return r;
    r = prepared_init(&client->place, request, &prepared);
    if (r == 0)
        r = prepared_sign(&client->place, request, &keys->parts, (time_t)s3_client_now(client),
                          &prepared);
    keyring_put(keys);
    if (r < 0)
        return error_set_errno(err, -r, "cannot sign an address in the bucket");
    *ret = steal_ptr(&prepared.url);
    return 0;
}
