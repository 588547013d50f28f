#include "registry/storage/s3/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

struct parallel {
    s3_task *task;
    void *object;
    size_t count;
    struct error *err;
    pthread_mutex_t mutex; /* protects the rest */
    size_t next;
    int result; /* of the first that did not return 0 */
};

/* Returns whether there is another number. */
static bool take_number(struct parallel *parallel, size_t *ret)
{
    bool is_there;

    pthread_mutex_lock(&parallel->mutex);
    is_there = parallel->result == 0 && parallel->next < parallel->count;
    if (is_there)
        *ret = parallel->next++;
    pthread_mutex_unlock(&parallel->mutex);
    return is_there;
}

static void *run(void *object)
{
    struct parallel *parallel = object;
    struct error err = {0};
    size_t number;

    while (take_number(parallel, &number)) {
        int r = parallel->task(parallel->object, number, &err);

        pthread_mutex_lock(&parallel->mutex);
        if (r != 0 && parallel->result == 0) {
            parallel->result = r;
            if (r < 0 && parallel->err)
                *parallel->err = err;
        }
        pthread_mutex_unlock(&parallel->mutex);
    }
    return NULL;
}

/* The caller's thread works, too, so it goes on if no other can be started. */
int s3_run_parallel(size_t count, s3_task *task, void *object, struct error *err)
{
    struct parallel parallel = {.task = task, .object = object, .count = count, .err = err};
    pthread_t threads[S3_AT_ONCE - 1];
    unsigned started = 0;
    sigset_t all, before;

    pthread_mutex_init(&parallel.mutex, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < S3_AT_ONCE - 1 && started + 1 < count &&
           pthread_create(&threads[started], NULL, run, &parallel) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    run(&parallel);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&parallel.mutex);
    return parallel.result;
}
