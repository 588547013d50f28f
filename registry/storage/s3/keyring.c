#include "registry/storage/s3/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/condition.h"
#include "common/monotonic.h"
#include "common/random.h"
#include "common/thread.h"
#include "registry/storage/s3/key-fetch.h"
#include "registry/storage/s3/key-file.h"

enum {
    EARLY_S = 5 * 60, /* before the end keys are replaced; of short-lived ones, at half time */
    FIRST_PAUSE_MS = 1000,
    LONGEST_PAUSE_MS = 60000,
    REST_MS = 30000, /* the longest sleep, because the clock may be set meanwhile */
    RENEW_MS = 20000,
};

struct keyring {
    struct key_endpoint *endpoint; /* NULL: the keys do not change */
    char *origin;                  /* NULL: the endpoint's */

    pthread_mutex_t mutex; /* protects the rest */
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, is_ending;
    struct keys *keys;    /* NULL: none came yet */
    struct error problem; /* of the last failure */
    unsigned failed_tries;  /* in a row */
    int64_t tried_ms, next_ms; /* by boottime_ms(): the last try, and when the next is due */
    struct transport *transport; /* of the try in progress; NULL: there is none */
    int64_t end_ms;              /* of all tries; by monotonic_ms() */
    struct keyring_counters counters;
};

static int64_t now_ms(void)
{
    return (int64_t)boottime_ms();
}

/* --- where keys come from -------------------------------------------------------------------- */

static struct piece find_variable(const char *const *environment, const char *name)
{
    const char *value = key_endpoint_get_variable(environment, name);

    return (struct piece){value, strlen(value)};
}

static int use_source(struct keyring *keyring, const struct keys_source *source, struct error *err)
{
    keyring->origin = strdup(source->origin);
    return keyring->origin ? keys_new(source, &keyring->keys, err) : error_set_oom(err);
}

static int use_configuration(struct keyring *keyring, const struct keyring_options *options,
                             struct error *err)
{
    return use_source(keyring,
                      &(struct keys_source){.access = {options->access, strlen(options->access)},
                                            .secret = piece_of_secret(options->secret),
                                            .token = piece_of_secret(options->token),
                                            .origin = "the configuration"},
                      err);
}

static int use_environment(struct keyring *keyring, const char *const *environment,
                           struct error *err)
{
    return use_source(keyring,
                      &(struct keys_source){
                          .access = find_variable(environment, "AWS_ACCESS_KEY_ID"),
                          .secret = find_variable(environment, "AWS_SECRET_ACCESS_KEY"),
                          .token = find_variable(environment, "AWS_SESSION_TOKEN"),
                          .origin = "the environment"},
                      err);
}

/* The shared file, and then the endpoints of the container and the instance. */
static int use_file_or_endpoint(struct keyring *keyring, const char *const *environment,
                                struct error *err)
{
    struct piece path = find_variable(environment, "AWS_SHARED_CREDENTIALS_FILE");
    struct piece profile = find_variable(environment, "AWS_PROFILE");
    int r;

    if (path.size > 0)
        keyring->origin = strdup(path.text);
    else if (asprintf(&keyring->origin, "%s/.aws/credentials",
                      find_variable(environment, "HOME").text) < 0)
        keyring->origin = NULL;
    if (!keyring->origin)
        return error_set_oom(err);
    if (profile.size == 0)
        profile.text = "default";
    r = key_file_read_profile(keyring->origin, profile.text, &keyring->keys, err);
    if (r == -ENOENT)
        r = key_endpoint_find(environment, &keyring->endpoint, err);
    if (r != KEY_ENDPOINT_NONE)
        return r;
    return error_set(err, ENOENT,
                     "there are no keys for the bucket: set storage.s3.accesskey and secretkey, or "
                     "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write the profile %s into %s",
                     profile.text, keyring->origin);
}

static int choose_origin(struct keyring *keyring, const struct keyring_options *options,
                         struct error *err)
{
    int r;

    if (options->access && *options->access)
        return use_configuration(keyring, options, err);
    if (options->secret && options->secret->size > 0)
        return error_set(err, EINVAL,
                         "the configuration has a secret key for the bucket, but no access key");
    if (find_variable(options->environment, "AWS_ACCESS_KEY_ID").size > 0)
        return use_environment(keyring, options->environment, err);
    r = key_endpoint_find_identity(options->environment, options->region ? options->region : "",
                                   &keyring->endpoint, err);
    return r == KEY_ENDPOINT_NONE ? use_file_or_endpoint(keyring, options->environment, err) : r;
}

int keyring_new(const struct keyring_options *options, struct keyring **ret, struct error *err)
{
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    int r;

    if (!keyring)
        return error_set_oom(err);
    pthread_mutex_init(&keyring->mutex, NULL);
    condition_init(&keyring->changed);
    keyring->end_ms = INT64_MAX;
    r = choose_origin(keyring, options, err);
    if (r < 0) {
        keyring_free(keyring);
        return r;
    }
    *ret = keyring;
    return 0;
}

/* --- replacing them -------------------------------------------------------------------------- */

/* A random half of the pause, so that servers that failed together do not ask together. */
static int64_t choose_pause(unsigned failed_tries)
{
    int64_t pause_ms = LONGEST_PAUSE_MS;
    unsigned random;

    if (failed_tries < 7 && FIRST_PAUSE_MS << failed_tries < LONGEST_PAUSE_MS)
        pause_ms = FIRST_PAUSE_MS << failed_tries;
    random_bytes(&random, sizeof(random));
    return pause_ms / 2 + random % (pause_ms / 2 + 1);
}

/* How long keys that came just now are used. */
static int64_t choose_lifetime(const struct keys *keys)
{
    int64_t left_s = keys->expires_s - (int64_t)time(NULL);

    if (keys->expires_s == 0)
        return INT64_MAX / 2;
    return (left_s > 2 * EARLY_S ? left_s - EARLY_S : left_s / 2) * 1000;
}

/* Takes ownership of the new keys. With the mutex held. */
static void replace_keys(struct keyring *keyring, struct keys *keys)
{
    int64_t lifetime_ms = choose_lifetime(keys);

    keys_drop(keyring->keys);
    keyring->keys = keys;
    keyring->failed_tries = 0;
    keyring->problem = (struct error){0};
    keyring->counters.renewals++;
    keyring->next_ms =
        now_ms() + (lifetime_ms > FIRST_PAUSE_MS ? lifetime_ms : FIRST_PAUSE_MS);
}

/* What key_fetch() uses, which keyring_end_at() can end. NULL: none. */
static void set_transport(struct keyring *keyring, struct transport *transport)
{
    pthread_mutex_lock(&keyring->mutex);
    keyring->transport = transport;
    if (transport)
        transport_end_at(transport, keyring->end_ms);
    pthread_mutex_unlock(&keyring->mutex);
}

static int try_to_fetch(struct keyring *keyring, struct keys **ret, struct error *err)
{
    struct transport *transport;
    int r = key_fetch_open(keyring->endpoint, &transport, err);

    if (r < 0)
        return r;
    set_transport(keyring, transport);
    r = key_fetch(keyring->endpoint, transport, ret, err);
    set_transport(keyring, NULL);
    transport_free(transport);
    return r;
}

void keyring_end_at(struct keyring *keyring, int64_t moment_ms)
{
    pthread_mutex_lock(&keyring->mutex);
    keyring->end_ms = moment_ms;
    if (keyring->transport)
        transport_end_at(keyring->transport, moment_ms);
    pthread_cond_broadcast(&keyring->changed);
    pthread_mutex_unlock(&keyring->mutex);
}

static int fetch_keys(struct keyring *keyring, struct error *err)
{
    struct keys *keys = NULL;
    int r;

    pthread_mutex_lock(&keyring->mutex);
    keyring->tried_ms = now_ms();
    pthread_mutex_unlock(&keyring->mutex);
    r = try_to_fetch(keyring, &keys, err);
    pthread_mutex_lock(&keyring->mutex);
    if (r == 0) {
        replace_keys(keyring, keys);
    } else {
        keyring->problem = *err;
        keyring->counters.failures++;
        keyring->next_ms = now_ms() + choose_pause(keyring->failed_tries++);
    }
    pthread_cond_broadcast(&keyring->changed);
    pthread_mutex_unlock(&keyring->mutex);
    return r;
}

/* Waits for a change, with the mutex held. Returns whether the time is over. */
static bool wait_for_change(struct keyring *keyring, int64_t ms)
{
    const struct timespec end = condition_deadline(ms);

    return pthread_cond_timedwait(&keyring->changed, &keyring->mutex, &end) == ETIMEDOUT;
}

/* Waits until keys are due. Returns whether the thread must end. */
static bool rest(struct keyring *keyring)
{
    bool is_ending;

    pthread_mutex_lock(&keyring->mutex);
    while (!keyring->is_ending && now_ms() < keyring->next_ms) {
        int64_t left_ms = keyring->next_ms - now_ms();

        wait_for_change(keyring, left_ms < REST_MS ? left_ms : REST_MS);
    }
    is_ending = keyring->is_ending;
    pthread_mutex_unlock(&keyring->mutex);
    return is_ending;
}

static void *run(void *object)
{
    struct keyring *keyring = object;
    struct error err;

    while (!rest(keyring))
        (void)!fetch_keys(keyring, &err);
    return NULL;
}

static int start_thread(struct keyring *keyring, struct error *err)
{
    int r = thread_start(&keyring->thread, "s3-keys", run, keyring);

    if (r < 0)
        return error_set_errno(err, -r, "cannot start a thread");
    keyring->has_thread = true;
    return 0;
}

int keyring_start(struct keyring *keyring, struct error *err)
{
    int r;

    if (!keyring->endpoint || keyring->has_thread)
        return 0;
    r = fetch_keys(keyring, err);
    if (r == 0)
        return start_thread(keyring, err);
    return keyring->endpoint->kind == KEY_ENDPOINT_INSTANCE
               ? error_wrap(err, "there are no keys for the bucket in the configuration, the "
                                 "environment and %s",
                            keyring->origin)
               : r;
}

void keyring_free(struct keyring *keyring)
{
    if (!keyring)
        return;
    pthread_mutex_lock(&keyring->mutex);
    keyring->is_ending = true;
    pthread_cond_broadcast(&keyring->changed);
    pthread_mutex_unlock(&keyring->mutex);
    if (keyring->has_thread)
        pthread_join(keyring->thread, NULL);
    keys_drop(keyring->keys);
    key_endpoint_free(keyring->endpoint);
    free(keyring->origin);
    pthread_cond_destroy(&keyring->changed);
    pthread_mutex_destroy(&keyring->mutex);
    free(keyring);
}

/* --- for callers ----------------------------------------------------------------------------- */

/* Has the thread ask soon, but not more often than each second. With the mutex held. */
static void hurry(struct keyring *keyring)
{
    int64_t soon_ms = keyring->tried_ms + FIRST_PAUSE_MS;

    if (!keyring->endpoint || keyring->next_ms <= soon_ms)
        return;
    keyring->next_ms = soon_ms;
    pthread_cond_broadcast(&keyring->changed);
}

static int fail_expired(const struct keyring *keyring, struct error *err)
{
    const char *why = keyring->problem.text;

    return error_set(err, EHOSTDOWN, "the keys of the bucket have expired%s%s", *why ? ": " : "",
                     why);
}

int keyring_get(struct keyring *keyring, struct keys **ret, struct error *err)
{
    int r = 0;

    pthread_mutex_lock(&keyring->mutex);
    if (!keyring->keys || keys_are_expired(keyring->keys)) {
        if (keyring->failed_tries == 0)
            hurry(keyring);
        r = fail_expired(keyring, err);
    } else {
        *ret = keys_use(keyring->keys);
    }
    pthread_mutex_unlock(&keyring->mutex);
    return r;
}

void keyring_put(struct keys *keys)
{
    keys_drop(keys);
}

int keyring_renew(struct keyring *keyring, const struct keys *refused, struct error *err)
{
    int64_t end_ms = monotonic_ms() + RENEW_MS;
    unsigned long failures;
    int r = 0;

    if (!keyring->endpoint)
        return KEYRING_FIXED;
    pthread_mutex_lock(&keyring->mutex);
    failures = keyring->counters.failures;
    if (keyring->keys == refused && keyring->failed_tries == 0)
        hurry(keyring);
    while (r == 0 && keyring->keys == refused) {
        int64_t last_ms = end_ms < keyring->end_ms ? end_ms : keyring->end_ms;
        int64_t left_ms = last_ms - monotonic_ms();

        if (keyring->counters.failures != failures || keyring->failed_tries > 0 || left_ms <= 0 ||
            keyring->is_ending)
            r = fail_expired(keyring, err);
        else
            wait_for_change(keyring, left_ms);
    }
    pthread_mutex_unlock(&keyring->mutex);
    return r;
}

const char *keyring_get_origin(const struct keyring *keyring)
{
    return keyring->endpoint ? keyring->endpoint->origin : keyring->origin;
}

const struct key_endpoint *keyring_get_endpoint(const struct keyring *keyring)
{
    return keyring->endpoint;
}

void keyring_count(struct keyring *keyring, struct keyring_counters *ret)
{
    pthread_mutex_lock(&keyring->mutex);
    *ret = keyring->counters;
    pthread_mutex_unlock(&keyring->mutex);
}
