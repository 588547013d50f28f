#include "registry/core/parallel.h"

#include <pthread.h>
#include <stdbool.h>

enum { HELPERS_MAX = 15, STACK_SIZE = 512 << 10 };

struct loop {
    size_t count;
    parallel_function *function;
    void *object;
    pthread_mutex_t lock; /* protects everything below */
    size_t next;
    int failure;
    struct error err;
};

static bool take_index(struct loop *loop, size_t *ret)
{
    bool has_index;

    pthread_mutex_lock(&loop->lock);
    has_index = loop->failure == 0 && loop->next < loop->count;
    if (has_index)
        *ret = loop->next++;
    pthread_mutex_unlock(&loop->lock);
    return has_index;
}

static void call_function(struct loop *loop, size_t index)
{
    struct error err = {0};
    int r = loop->function(loop->object, index, &err);

    if (r >= 0)
        return;
    pthread_mutex_lock(&loop->lock);
    if (loop->failure == 0) {
        loop->failure = r;
        loop->err = err;
    }
    pthread_mutex_unlock(&loop->lock);
}

static void *help(void *object)
{
    struct loop *loop = object;
    size_t index;

    while (take_index(loop, &index))
        call_function(loop, index);
    return NULL;
}

static bool take_spare(struct parallel *parallel)
{
    unsigned spare = __atomic_load_n(&parallel->spare, __ATOMIC_RELAXED);

    while (spare > 0)
        if (__atomic_compare_exchange_n(&parallel->spare, &spare, spare - 1, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    return false;
}

/* Without another thread the loop only takes longer. */
static bool start_helper(struct parallel *parallel, struct loop *loop, pthread_t *ret)
{
    pthread_attr_t attributes;
    bool is_started = false;

    if (!take_spare(parallel))
        return false;
    if (pthread_attr_init(&attributes) == 0) {
        is_started = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 &&
                     pthread_create(ret, &attributes, help, loop) == 0;
        pthread_attr_destroy(&attributes);
    }
    if (!is_started)
        __atomic_add_fetch(&parallel->spare, 1, __ATOMIC_RELAXED);
    return is_started;
}

int parallel_for(struct parallel *parallel, size_t count, unsigned at_once,
                 parallel_function *function, void *object, struct error *err)
{
    struct loop loop = {.count = count, .function = function, .object = object};
    size_t most = at_once < count ? at_once : count, index;
    pthread_t helpers[HELPERS_MAX];
    unsigned started = 0;

    pthread_mutex_init(&loop.lock, NULL);
    while (take_index(&loop, &index)) {
        while (started + 1 < most && started < HELPERS_MAX && index + started + 1 < count &&
               start_helper(parallel, &loop, &helpers[started]))
            started++;
        call_function(&loop, index);
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
    __atomic_add_fetch(&parallel->spare, started, __ATOMIC_RELAXED);
    pthread_mutex_destroy(&loop.lock);
    if (loop.failure < 0)
        *err = loop.err;
    return loop.failure;
}
