#pragma once

#include <pthread.h>
#include <signal.h>

/*
 * Starts a thread that blocks all signals, because signals are for the main thread. The name, of up
 * to 15 bytes, is what tools show. 0 or -errno. Join it with pthread_join().
 */
static inline int thread_start(pthread_t *ret, const char *name, void *(*run)(void *object),
                               void *object)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(ret, NULL, run, object);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pthread_setname_np(*ret, name);
    return -r;
}
