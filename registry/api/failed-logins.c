#include "registry/api/failed-logins.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct failed_logins {
    pthread_mutex_t lock; /* protects everything below */
    uint64_t count;
    int64_t since_s;
    struct failed_login ring[FAILED_LOGINS_KEPT]; /* number i is at i % FAILED_LOGINS_KEPT */
};

struct failed_logins *failed_logins_new(void)
{
    struct failed_logins *logins = calloc(1, sizeof(*logins));

    if (!logins)
        return NULL;
    pthread_mutex_init(&logins->lock, NULL);
    logins->since_s = time(NULL);
    return logins;
}

void failed_logins_free(struct failed_logins *logins)
{
    if (!logins)
        return;
    pthread_mutex_destroy(&logins->lock);
    free(logins);
}

void failed_logins_add(struct failed_logins *logins, const void *user, size_t user_size,
                       const char *address)
{
    struct failed_login login = {.time_s = time(NULL)};

    memcpy(login.user, user,
           user_size < FAILED_LOGIN_USER_MAX ? user_size : FAILED_LOGIN_USER_MAX);
    snprintf(login.address, sizeof(login.address), "%s", address);
    pthread_mutex_lock(&logins->lock);
    logins->ring[logins->count++ % FAILED_LOGINS_KEPT] = login;
    pthread_mutex_unlock(&logins->lock);
}

void failed_logins_get(struct failed_logins *logins, struct failed_logins_seen *ret)
{
    pthread_mutex_lock(&logins->lock);
    *ret = (struct failed_logins_seen){.count = logins->count, .since_s = logins->since_s};
    while (ret->last_count < FAILED_LOGINS_KEPT && ret->last_count < logins->count) {
        uint64_t number = logins->count - 1 - ret->last_count;

        ret->last[ret->last_count++] = logins->ring[number % FAILED_LOGINS_KEPT];
    }
    pthread_mutex_unlock(&logins->lock);
}
