#include "registry/runtime/worker-pool.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/unit/check.h"

/* Blocks a worker until it is released. */
struct gate {
    struct job job;
    sem_t is_reached, may_go;
};

static void wait_at_gate(struct job *job)
{
    struct gate *gate = (struct gate *)job;

    sem_post(&gate->is_reached);
    sem_wait(&gate->may_go);
}

static void gate_open(struct gate *gate)
{
    sem_post(&gate->may_go);
}

static void gate_done(struct gate *gate)
{
    sem_destroy(&gate->is_reached);
    sem_destroy(&gate->may_go);
}

/* A job that writes its letter down. */
struct letter {
    struct job job;
    char text;
};

static char written[4096];
static unsigned written_count;

static void write_letter(struct job *job)
{
    char text = ((struct letter *)job)->text;

    /*
     * The job may be used again as soon as it is counted; its letter may be written a moment later.
     */
    written[__atomic_fetch_add(&written_count, 1, __ATOMIC_ACQ_REL)] = text;
}

static struct worker_pool *start_pool(unsigned threads, unsigned queue_max)
{
    struct worker_pool *pool = NULL;
    struct error err;

    written_count = 0;
    assert_int_equal(worker_pool_start("test", threads, queue_max, 0, &pool, &err), 0);
    return pool;
}

static int submit_job(struct worker_pool *pool, uint64_t principal, struct job *job)
{
    return worker_pool_submit(pool, &(struct job_owner){.principal = principal}, 0, job);
}

/* A pool whose only thread is blocked at the gate, so that submitted jobs wait. */
static struct worker_pool *start_at_gate(struct gate *gate, unsigned queue_max)
{
    struct worker_pool *pool = start_pool(1, queue_max);

    gate->job.run = wait_at_gate;
    sem_init(&gate->is_reached, 0, 0);
    sem_init(&gate->may_go, 0, 0);
    assert_int_equal(submit_job(pool, 0, &gate->job), 0);
    sem_wait(&gate->is_reached);
    return pool;
}

static int submit(struct worker_pool *pool, uint64_t key, struct letter *letter, char text)
{
    *letter = (struct letter){.job.run = write_letter, .text = text};
    return submit_job(pool, key, &letter->job);
}

/* Submits one job for each letter, whose key it is; what comes out must be `expected`. */
static void check_order(const char *submitted, const char *expected)
{
    CLEANUP(gate_done) struct gate gate;
    struct letter letters[64];
    struct worker_pool *pool = start_at_gate(&gate, 64);

    for (size_t i = 0; submitted[i]; i++)
        assert_int_equal(submit(pool, (uint64_t)submitted[i] << 40, &letters[i], submitted[i]), 0);
    gate_open(&gate);
    worker_pool_stop(pool);
    written[written_count] = '\0';
    assert_string_equal(written, expected);
}

static void keys_are_served_in_turns(void **state)
{
    (void)state;
    check_order("", "");
    check_order("a", "a");
    check_order("aaaaaaaaab", "abaaaaaaaa");
    check_order("aaaabbcd", "abcdabaa");
    check_order("aaabacab", "abcabaaa");
}

static void jobs_of_one_key_keep_their_order(void **state)
{
    CLEANUP(gate_done) struct gate gate;
    struct letter letters[26];
    struct worker_pool *pool = start_at_gate(&gate, 64);

    (void)state;
    for (int i = 0; i < 26; i++)
        assert_int_equal(submit(pool, 7, &letters[i], (char)('a' + i)), 0);
    gate_open(&gate);
    worker_pool_stop(pool);
    assert_memory_equal(written, "abcdefghijklmnopqrstuvwxyz", 26);
    assert_int_equal(written_count, 26);
}

static void a_thousand_jobs_of_one_key_delay_another_by_one(void **state)
{
    enum { GUESSES = 1000 };
    CLEANUP(gate_done) struct gate gate;
    static struct letter guesses[GUESSES];
    struct letter other;
    struct worker_pool *pool = start_at_gate(&gate, 2 * GUESSES);

    (void)state;
    for (int i = 0; i < GUESSES; i++)
        assert_int_equal(submit(pool, 1, &guesses[i], 'g'), 0);
    assert_int_equal(submit(pool, 2, &other, '!'), 0);
    gate_open(&gate);
    worker_pool_stop(pool);
    assert_int_equal(written_count, GUESSES + 1);
    assert_int_equal(written[1], '!');
}

static void one_key_may_have_half_of_the_queue(void **state)
{
    CLEANUP(gate_done) struct gate gate;
    struct letter letters[9];
    struct worker_pool *pool = start_at_gate(&gate, 8);

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(submit(pool, 1, &letters[i], 'a'), 0);
    assert_int_equal(submit(pool, 1, &letters[4], 'x'), -EAGAIN);
    for (int i = 4; i < 8; i++)
        assert_int_equal(submit(pool, (uint64_t)i, &letters[i], 'b'), 0);
    assert_int_equal(submit(pool, 99, &letters[8], 'x'), -EAGAIN);
    gate_open(&gate);
    worker_pool_stop(pool);
    written[written_count] = '\0';
    assert_string_equal(written, "abbbbaaa");
}

static void a_queue_of_one_takes_one(void **state)
{
    CLEANUP(gate_done) struct gate gate;
    struct letter letters[2];
    struct worker_pool *pool = start_at_gate(&gate, 1);

    (void)state;
    assert_int_equal(submit(pool, 1, &letters[0], 'a'), 0);
    assert_int_equal(submit(pool, 2, &letters[1], 'x'), -EAGAIN);
    gate_open(&gate);
    worker_pool_stop(pool);
    assert_int_equal(written_count, 1);
}

/*
 * Lanes that were emptied are used again: far more keys than there is room for, one after the
 * other.
 */
static void there_is_room_for_any_number_of_keys(void **state)
{
    struct letter letter;
    struct worker_pool *pool = start_pool(1, 2);

    (void)state;
    for (uint64_t key = 0; key < 2000; key++) {
        while (submit(pool, key * 64, &letter, 'a') == -EAGAIN)
            sched_yield();
        while (__atomic_load_n(&written_count, __ATOMIC_ACQUIRE) <= key)
            sched_yield();
    }
    worker_pool_stop(pool);
    assert_int_equal(written_count, 2000);
}

struct resubmission {
    struct job job;
    struct worker_pool *pool;
    struct letter letter;
    int result;
    sem_t is_done;
};

static void submit_another(struct job *job)
{
    struct resubmission *again = (struct resubmission *)job;

    again->result = submit(again->pool, 0, &again->letter, 'z');
    sem_post(&again->is_done);
}

static void a_job_may_submit_another(void **state)
{
    struct resubmission again = {.job.run = submit_another, .pool = start_pool(1, 4)};

    (void)state;
    sem_init(&again.is_done, 0, 0);
    assert_int_equal(submit_job(again.pool, 0, &again.job), 0);
    sem_wait(&again.is_done);
    worker_pool_stop(again.pool);
    sem_destroy(&again.is_done);
    assert_int_equal(again.result, 0);
    assert_int_equal(written_count, 1);
}

static void free_job(struct job *job)
{
    free(job);
}

static void a_job_may_free_itself(void **state)
{
    struct worker_pool *pool = start_pool(2, 256);

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct job *job = calloc(1, sizeof(*job));

        assert_non_null(job);
        job->run = free_job;
        assert_int_equal(submit_job(pool, (uint64_t)i % 3, job), 0);
    }
    worker_pool_stop(pool);
}

/* --- many threads ----------------------------------------------------------------------- */

enum { SUBMITTERS = 4, JOBS_EACH = 500 };

struct submitter {
    pthread_t thread;
    struct worker_pool *pool;
    uint64_t key;
    struct letter letters[JOBS_EACH];
};

static void *submit_all(void *argument)
{
    struct submitter *submitter = argument;

    for (int i = 0; i < JOBS_EACH; i++)
        while (submit(submitter->pool, submitter->key + (uint64_t)i % 2, &submitter->letters[i],
                      '.') == -EAGAIN)
            sched_yield();
    return NULL;
}

static void every_job_runs_once(void **state)
{
    static struct submitter submitters[SUBMITTERS];
    struct worker_pool *pool = start_pool(3, 32);

    (void)state;
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        submitters[i].pool = pool;
        submitters[i].key = i;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]),
                         0);
    }
    for (unsigned i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    worker_pool_stop(pool);
    assert_int_equal(written_count, SUBMITTERS * JOBS_EACH);
}

/* Each job waits for all others, so this only ends if each has its own thread. */
static void there_are_as_many_threads_as_asked_for(void **state)
{
    struct gate gates[5];
    struct worker_pool *pool = start_pool(ARRAY_SIZE(gates), 16);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
        gates[i].job.run = wait_at_gate;
        sem_init(&gates[i].is_reached, 0, 0);
        sem_init(&gates[i].may_go, 0, 0);
        assert_int_equal(submit_job(pool, i, &gates[i].job), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        sem_wait(&gates[i].is_reached);
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        gate_open(&gates[i]);
    worker_pool_stop(pool);
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        gate_done(&gates[i]);
}

/* --- what a principal may not do -------------------------------------------------------- */

static void a_principal_that_blocks_its_workers_does_not_stop_others(void **state)
{
    struct gate gates[10];
    struct letter other;
    struct worker_pool *pool = start_pool(4, 32);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
        gates[i].job.run = wait_at_gate;
        sem_init(&gates[i].is_reached, 0, 0);
        sem_init(&gates[i].may_go, 0, 0);
        assert_int_equal(submit_job(pool, 1, &gates[i].job), 0);
    }
    assert_int_equal(submit(pool, 2, &other, '!'), 0);
    while (__atomic_load_n(&written_count, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        gate_open(&gates[i]);
    worker_pool_stop(pool);
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        gate_done(&gates[i]);
}

static void a_parked_job_runs_after_its_delay(void **state)
{
    struct letter letters[3];
    struct worker_pool *pool = start_pool(2, 8);
    static const unsigned delays[] = {120, 60, 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        letters[i] = (struct letter){.job.run = write_letter, .text = (char)('c' - i)};
        assert_int_equal(worker_pool_submit(pool, &(struct job_owner){.principal = 1}, delays[i],
                                            &letters[i].job),
                         0);
    }
    while (__atomic_load_n(&written_count, __ATOMIC_ACQUIRE) < 3)
        sched_yield();
    worker_pool_stop(pool); /* the last letter may be written after it was counted */
    assert_memory_equal(written, "abc", 3);
}

/* The end of the pool is not delayed by them. */
static void parked_jobs_run_when_the_pool_stops(void **state)
{
    struct letter letter = {.job.run = write_letter, .text = 'a'};
    struct worker_pool *pool = start_pool(2, 8);

    (void)state;
    assert_int_equal(
        worker_pool_submit(pool, &(struct job_owner){.principal = 1}, 3600 * 1000, &letter.job), 0);
    worker_pool_stop(pool);
    assert_int_equal(written_count, 1);
}

/* --- what a thread is like -------------------------------------------------------------- */

struct look {
    struct job job;
    char name[16];
    int niceness, is_term_blocked;
    size_t stack_size;
};

static void look_around(struct job *job)
{
    struct look *look = (struct look *)job;
    pthread_attr_t attributes;
    sigset_t blocked;

    pthread_getname_np(pthread_self(), look->name, sizeof(look->name));
    look->niceness = getpriority(PRIO_PROCESS, 0);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    look->is_term_blocked = sigismember(&blocked, SIGTERM);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &look->stack_size);
    pthread_attr_destroy(&attributes);
}

static void threads_are_as_the_header_says(void **state)
{
    struct look look = {.job.run = look_around};
    struct worker_pool *pool = NULL;
    int before = getpriority(PRIO_PROCESS, 0);
    struct error err;
    sigset_t blocked;

    (void)state;
    assert_int_equal(worker_pool_start("a-very-long-name", 1, 1, 3, &pool, &err), 0);
    assert_int_equal(submit_job(pool, 0, &look.job), 0);
    worker_pool_stop(pool);
    assert_string_equal(look.name, "a-very-lon-0");
    assert_int_equal(look.niceness, before + 3 > 19 ? 19 : before + 3);
    assert_true(look.is_term_blocked);
    assert_true(look.stack_size >= 512 << 10);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
}

static void a_pool_that_cannot_work_is_refused(void **state)
{
    struct worker_pool *pool = NULL;
    struct error err;

    (void)state;
    assert_int_equal(worker_pool_start("test", 0, 1, 0, &pool, &err), -EINVAL);
    assert_says(&err, "a pool of 0 threads");
    assert_int_equal(worker_pool_start("test", 1, 0, 0, &pool, &err), -EINVAL);
    assert_null(pool);
    worker_pool_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_served_in_turns),
        cmocka_unit_test(jobs_of_one_key_keep_their_order),
        cmocka_unit_test(a_thousand_jobs_of_one_key_delay_another_by_one),
        cmocka_unit_test(one_key_may_have_half_of_the_queue),
        cmocka_unit_test(a_queue_of_one_takes_one),
        cmocka_unit_test(there_is_room_for_any_number_of_keys),
        cmocka_unit_test(a_job_may_submit_another),
        cmocka_unit_test(a_job_may_free_itself),
        cmocka_unit_test(every_job_runs_once),
        cmocka_unit_test(there_are_as_many_threads_as_asked_for),
        cmocka_unit_test(a_principal_that_blocks_its_workers_does_not_stop_others),
        cmocka_unit_test(a_parked_job_runs_after_its_delay),
        cmocka_unit_test(parked_jobs_run_when_the_pool_stops),
        cmocka_unit_test(threads_are_as_the_header_says),
        cmocka_unit_test(a_pool_that_cannot_work_is_refused),
    };

    return cmocka_run_group_tests_name("worker-pool", tests, NULL, NULL);
}
