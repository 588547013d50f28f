#include "registry/access/authenticator.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "registry/access/bcrypt.h"
#include "registry/runtime/worker-pool.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-access/authenticator-fixture.h"
#include "tests/unit/scratch.h"

#define APR1 "$apr1$TyXgrfV2$wVX2naLcJUcqnSmarl7lA1"

/* --- verdicts --------------------------------------------------------------------------- */

static void a_right_password_is_accepted_and_cached(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", "bob", NULL);
    a = open_users();
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_UNKNOWN);
    assert_int_equal(counters_of(a).bcrypts, 1);
    assert_int_equal(counters_of(a).granted, 3);
    assert_int_equal(counters_of(a).cache_hits, 2);
    assert_int_equal(counters_of(a).denied, 0);
    assert_string_equal(warnings, "");
}

static void every_other_password_is_rejected_each_time(void **state)
{
    static const char *const pairs[][2] = {
        {"alice", "bob's"},   {"alice", ""},         {"alice", "alice's "},
        {"alice", "alice'"},  {"Alice", "alice's"},  {"", ""},
        {"carol", "carol's"}, {"carol", ""},         {"old", "secret"},
        {"plain", "secret"},  {"alice ", "alice's"},
    };
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("old:" APR1 "\nplain:secret\n", "alice", "bob", NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
            assert_case(pairs[i][1], look_up(a, pairs[i][0], pairs[i][1]) == AUTH_UNKNOWN);
            assert_case(pairs[i][1], verify(a, pairs[i][0], pairs[i][1]) == AUTH_DENIED);
        }
    assert_int_equal(counters_of(a).denied, 2 * ARRAY_SIZE(pairs));
}

static void an_empty_password_may_be_right(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    const struct secbuf nothing = {0};
    char text[200] = "";

    (void)state;
    append_user(text, sizeof(text), "", "", 4);
    write_users(text, NULL);
    a = open_users();
    assert_int_equal(authenticator_verify(a, &nothing, &nothing), AUTH_GRANTED);
    assert_int_equal(authenticator_look_up(a, &nothing, &nothing), AUTH_GRANTED);
}

static void a_password_with_a_nul_is_denied_without_bcrypt(void **state)
{
    CLEANUP(secbuf_done) struct secbuf user = secret("alice"), password = secret("alice's");
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    assert_int_equal(secbuf_append(&password, "", 1), 0);
    assert_int_equal(authenticator_look_up(a, &user, &password), AUTH_DENIED);
    assert_int_equal(authenticator_verify(a, &user, &password), AUTH_DENIED);
    assert_int_equal(counters_of(a).bcrypts, 0);
}

static void without_usable_users_all_logins_are_rejected_at_once(void **state)
{
    static const char *const files[] = {"", "# nobody\n", "old:" APR1 "\n", "nonsense\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        CLEANUP(authenticator_closep) struct authenticator *a = NULL;

        write_users(files[i], NULL);
        a = open_users();
        assert_int_equal(look_up(a, "old", "secret"), AUTH_DENIED);
        assert_int_equal(verify(a, "old", "secret"), AUTH_DENIED);
        assert_int_equal(counters_of(a).bcrypts, 0);
        assert_int_equal(count_warnings("has no user who can log in"), 1);
    }
}

static void cached_passwords_expire(void **state)
{
    const struct timespec wait = {.tv_nsec = 300 * 1000 * 1000};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    a = open_with((struct authenticator_options){.remember_ms = 250});
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    nanosleep(&wait, NULL);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(counters_of(a).bcrypts, 2);
}

static void the_cache_size_is_limited(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", "bob", NULL);
    a = open_with((struct authenticator_options){.remember_max = 1});
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_GRANTED);
}

/* --- timing ----------------------------------------------------------------------------- */

static uint64_t work_of(struct authenticator *a, const char *user, const char *password)
{
    uint64_t before = counters_of(a).bcrypt_rounds;

    verify(a, user, password);
    return counters_of(a).bcrypt_rounds - before;
}

static void every_rejection_costs_the_same_work(void **state)
{
    static const char *const users[] = {"four", "five", "seven", "old", "nobody", "", "four "};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[1000] = "old:" APR1 "\n";

    (void)state;
    append_user(text, sizeof(text), "four", "4", 4);
    append_user(text, sizeof(text), "five", "5", 5);
    append_user(text, sizeof(text), "fifth", "5", 5);
    append_user(text, sizeof(text), "seven", "7", 7);
    write_users(text, NULL);
    a = open_users();
    for (size_t i = 0; i < ARRAY_SIZE(users); i++)
        assert_case(users[i], work_of(a, users[i], "wrong") == 1 << 7);
    assert_int_equal(work_of(a, "four", "4"),
                     1 << 4); /* a right password may reveal that the user exists */
    assert_int_equal(work_of(a, "seven", "7"), 1 << 7);
    assert_int_equal(work_of(a, "four", "wrong"), 1 << 7);
}

static double time_of(struct authenticator *a, const char *user)
{
    struct timespec before, after;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    assert_int_equal(verify(a, user, "wrong"), AUTH_DENIED);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

/*
 * The counted work is really done. This measures the thread's CPU time, so that other load does not
 * matter.
 */
static void every_rejection_takes_about_the_same_time(void **state)
{
    static const char *const users[] = {"four", "old", "nobody", ""};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[1000] = "old:" APR1 "\n";

    (void)state;
    append_user(text, sizeof(text), "nine", "9", 9);
    write_users(text, "four", NULL);
    a = open_users();
    time_of(a, "nine"); /* warms up the caches */
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        double expected = time_of(a, "nine"), taken = time_of(a, users[i]);

        assert_case(users[i], taken > 0.5 * expected && taken < 2 * expected);
    }
}

static void with_a_single_cost_a_rejection_is_one_bcrypt(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    verify(a, "alice", "wrong");
    assert_int_equal(counters_of(a).bcrypts, 1);
    verify(a, "nobody", "wrong");
    assert_int_equal(counters_of(a).bcrypts, 2);
    assert_int_equal(counters_of(a).bcrypt_rounds, 2 << 4);
}

/* Otherwise a single hash of cost 20 would make each wrong password take a minute. */
static void the_work_is_bounded(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[300];

    (void)state;
    snprintf(text, sizeof(text), "slow:$2y$20$%053d\n", 0);
    write_users(text, "alice", NULL);
    a = open_users();
    assert_int_equal(work_of(a, "alice", "wrong"), 1 << 14);
    assert_int_equal(work_of(a, "nobody", "wrong"), 1 << 14);
    write_users(text, NULL);
    assert_int_equal(work_of(a, "nobody", "wrong"), 1 << 14);
}

/* --- many threads ----------------------------------------------------------------------- */

struct request {
    struct job job;
    struct authenticator *authenticator;
    enum auth_verdict verdict;
};

static void run_request(struct job *job)
{
    struct request *request = (struct request *)job;

    request->verdict = verify(request->authenticator, "alice", "alice's");
}

/* Any number of concurrent clients with the same password cost one bcrypt per thread. */
static void parallel_requests_share_a_bcrypt(void **state)
{
    enum { REQUESTS = 50, THREADS = 2 };
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct request requests[REQUESTS];
    struct worker_pool *pool = NULL;
    struct error err;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    assert_int_equal(worker_pool_start("test", THREADS, 2 * REQUESTS, 0, &pool, &err), 0);
    for (int i = 0; i < REQUESTS; i++) {
        requests[i] = (struct request){.job.run = run_request, .authenticator = a};
        assert_int_equal(worker_pool_submit(pool, &(struct job_owner){.principal = (uint64_t)i}, 0,
                                            &requests[i].job),
                         0);
    }
    worker_pool_stop(pool);
    for (int i = 0; i < REQUESTS; i++)
        assert_int_equal(requests[i].verdict, AUTH_GRANTED);
    assert_true(counters_of(a).bcrypts <= THREADS);
    assert_int_equal(counters_of(a).granted, REQUESTS);
}

struct client {
    pthread_t thread;
    struct authenticator *authenticator;
    unsigned wrong; /* verdicts */
};

static void *ask_again_and_again(void *argument)
{
    struct client *client = argument;
    struct authenticator *a = client->authenticator;

    for (int i = 0; i < 60; i++) {
        enum auth_verdict verdict = look_up(a, "alice", "alice's");

        if (verdict == AUTH_UNKNOWN)
            verdict = verify(a, "alice", "alice's");
        client->wrong += verdict != AUTH_GRANTED;
        client->wrong += verify(a, "alice", "wrong") != AUTH_DENIED;
        client->wrong += look_up(a, "nobody", "wrong") == AUTH_GRANTED;
    }
    return NULL;
}

/* Users that are in the old and in the new file are accepted at any time. */
static void reloads_reject_no_valid_login(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct client clients[4];
    struct error err;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = (struct client){.authenticator = a};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, ask_again_and_again, &clients[i]),
                         0);
    }
    for (int i = 0; i < 10; i++) {
        write_users(i % 2 ? "nonsense\n" : "", "alice", NULL);
        assert_int_equal(authenticator_reload(a, &err), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_right_password_is_accepted_and_cached),
        scratch_test(every_other_password_is_rejected_each_time),
        scratch_test(an_empty_password_may_be_right),
        scratch_test(a_password_with_a_nul_is_denied_without_bcrypt),
        scratch_test(without_usable_users_all_logins_are_rejected_at_once),
        scratch_test(cached_passwords_expire),
        scratch_test(the_cache_size_is_limited),
        scratch_test(every_rejection_costs_the_same_work),
        scratch_test(every_rejection_takes_about_the_same_time),
        scratch_test(with_a_single_cost_a_rejection_is_one_bcrypt),
        scratch_test(the_work_is_bounded),
        scratch_test(parallel_requests_share_a_bcrypt),
        scratch_test(reloads_reject_no_valid_login),
    };

    return cmocka_run_group_tests_name("authenticator", tests, NULL, NULL);
}
