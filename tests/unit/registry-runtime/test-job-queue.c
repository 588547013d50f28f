#include "registry/runtime/job-queue.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/check.h"

enum { QUEUE_MAX = 4096 };

static struct job jobs[QUEUE_MAX];
static unsigned used;

static struct job_queue *new_queue(unsigned workers)
{
    struct job_queue *queue = job_queue_new(QUEUE_MAX, workers);

    assert_non_null(queue);
    used = 0;
    return queue;
}

static int push_at(struct job_queue *queue, uint64_t principal, uint64_t address, uint64_t due_ms)
{
    return job_queue_push(queue, &(struct job_owner){principal, address}, due_ms, &jobs[used++]);
}

static void push(struct job_queue *queue, unsigned count, uint64_t principal, uint64_t address)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(push_at(queue, principal, address, 0), 0);
}

/* Takes as many jobs as may run at once; returns their number. */
static unsigned take_all(struct job_queue *queue)
{
    unsigned count = 0;

    while (job_queue_take(queue))
        count++;
    assert_false(job_queue_is_runnable(queue));
    return count;
}

static void one_principal_leaves_workers_to_others(void **state)
{
    struct job_queue *queue = new_queue(24);

    (void)state;
    push(queue, 1000, 1, 1);
    assert_int_equal(take_all(queue), 16);
    push(queue, 1000, 2, 1);
    assert_int_equal(take_all(queue), 6);
    push(queue, 1, 3, 1);
    push(queue, 1, 4, 1);
    assert_int_equal(take_all(queue), 2);
    job_queue_free(queue);
}

static void the_last_worker_is_for_a_principal_that_has_none(void **state)
{
    static const unsigned most[] = {[1] = 1, [2] = 1, [3] = 2, [4] = 3, [16] = 11};

    (void)state;
    for (unsigned workers = 1; workers < ARRAY_SIZE(most); workers++) {
        struct job_queue *queue = new_queue(workers);

        push(queue, 100, 1, 1);
        if (most[workers])
            assert_int_equal(take_all(queue), most[workers]);
        job_queue_free(queue);
    }
}

static void addresses_do_not_multiply_a_principals_workers(void **state)
{
    struct job_queue *queue = new_queue(24);

    (void)state;
    for (uint64_t address = 0; address < 1000; address++)
        push(queue, 1, 1, address);
    assert_int_equal(take_all(queue), 16);
    job_queue_free(queue);
}

static void addresses_of_a_principal_take_turns(void **state)
{
    struct job_queue *queue = new_queue(1);
    static const uint64_t expected[] = {7, 8, 9, 7, 8, 7};

    (void)state;
    push(queue, 3, 1, 7);
    push(queue, 2, 1, 8);
    push(queue, 1, 1, 9);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        struct job *job = job_queue_take(queue);

        assert_non_null(job);
        assert_int_equal(job->address, expected[i]);
        job_queue_finish(queue, job->lane);
    }
    assert_true(job_queue_is_empty(queue));
    job_queue_free(queue);
}

/* The same address of another principal is another flow. */
static void equal_addresses_of_two_principals_are_separate(void **state)
{
    struct job_queue *queue = new_queue(1);
    struct job *first, *second;

    (void)state;
    push(queue, 2, 1, 7);
    push(queue, 1, 2, 7);
    first = job_queue_take(queue);
    job_queue_finish(queue, first->lane);
    second = job_queue_take(queue);
    assert_ptr_not_equal(first->lane, second->lane);
    job_queue_free(queue);
}

static void a_finished_job_makes_room_for_another(void **state)
{
    struct job_queue *queue = new_queue(4);
    struct job *job;

    (void)state;
    push(queue, 10, 1, 1);
    job = job_queue_take(queue);
    assert_int_equal(take_all(queue), 2);
    job_queue_finish(queue, job->lane);
    assert_true(job_queue_is_runnable(queue));
    assert_int_equal(take_all(queue), 1);
    job_queue_free(queue);
}

static void a_parked_job_waits_for_its_time(void **state)
{
    struct job_queue *queue = new_queue(2);

    (void)state;
    assert_int_equal(push_at(queue, 1, 1, 200), 0);
    assert_int_equal(push_at(queue, 1, 1, 100), 0);
    assert_int_equal(job_queue_get_due(queue), 100);
    assert_null(job_queue_take(queue));
    assert_false(job_queue_is_empty(queue));
    job_queue_release_due(queue, 99);
    assert_null(job_queue_take(queue));
    job_queue_release_due(queue, 100);
    assert_ptr_equal(job_queue_take(queue), &jobs[1]);
    assert_int_equal(job_queue_get_due(queue), 200);
    job_queue_release_due(queue, UINT64_MAX);
    assert_int_equal(job_queue_get_due(queue), UINT64_MAX);
    job_queue_free(queue);
}

static void a_principal_parks_a_few_jobs_only(void **state)
{
    struct job_queue *queue = new_queue(2);

    (void)state;
    for (int i = 0; i < JOB_QUEUE_PARKED_MAX; i++)
        assert_int_equal(push_at(queue, 1, 1, 100), 0);
    assert_int_equal(push_at(queue, 1, 1, 100), -EAGAIN);
    assert_int_equal(push_at(queue, 2, 1, 100), 0);
    job_queue_free(queue);
}

/* For any jobs in any order: no job is lost, none runs twice, and the queue is empty at the end. */
static void every_job_comes_out_once(void **state)
{
    enum { WORKERS = 5, ROUNDS = 20 };
    struct job_queue *queue = new_queue(WORKERS);

    (void)state;
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct job *running[WORKERS];
        unsigned pushed = 0, taken = 0, count = 0;

        used = 0;
        while (pushed < 500 || !job_queue_is_empty(queue) || count > 0) {
            if (pushed < 500 && push_at(queue, (uint64_t)rand() % 9, (uint64_t)rand() % 3,
                                        (uint64_t)rand() % 3) == 0)
                pushed++;
            job_queue_release_due(queue, pushed < 500 ? 1 : UINT64_MAX);
            while (count < WORKERS && (running[count] = job_queue_take(queue)) != NULL) {
                assert_ptr_not_equal(running[count]->run, free); /* not taken before */
                running[count]->run = (void (*)(struct job *))free;
                count++, taken++;
            }
            if (count > 0)
                job_queue_finish(queue, running[--count]->lane);
        }
        assert_int_equal(taken, 500);
        for (unsigned i = 0; i < used; i++)
            jobs[i].run = NULL;
    }
    job_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_principal_leaves_workers_to_others),
        cmocka_unit_test(the_last_worker_is_for_a_principal_that_has_none),
        cmocka_unit_test(addresses_do_not_multiply_a_principals_workers),
        cmocka_unit_test(addresses_of_a_principal_take_turns),
        cmocka_unit_test(equal_addresses_of_two_principals_are_separate),
        cmocka_unit_test(a_finished_job_makes_room_for_another),
        cmocka_unit_test(a_parked_job_waits_for_its_time),
        cmocka_unit_test(a_principal_parks_a_few_jobs_only),
        cmocka_unit_test(every_job_comes_out_once),
    };

    return cmocka_run_group_tests_name("job-queue", tests, NULL, NULL);
}
