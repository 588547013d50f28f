#pragma once

#include <pthread.h>

#include "registry/storage/s3/client.h"
#include "registry/storage/s3/prepared.h"
#include "registry/storage/s3/store-clock.h"

/* What client.c and call.c share. */

struct s3_client {
    struct s3_place place; /* of the text below */
    char *bucket, *region, *host, *base;
    unsigned deadline_ms;
    struct keyring *keyring;
    struct transport *transport;
    struct breaker *breaker;
    uint64_t retries; /* atomic */
    struct store_clock clock;

    pthread_mutex_t mutex; /* protects end_ms */
    pthread_cond_t changed;
    int64_t end_ms; /* of all requests */
};
