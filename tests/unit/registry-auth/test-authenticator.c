#include "registry/auth/authenticator.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "registry/auth/bcrypt.h"
#include "registry/worker-pool.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

#define APR1 "$apr1$TyXgrfV2$wVX2naLcJUcqnSmarl7lA1"

static char warnings[8192];

static void collect(void *context, const char *text)
{
    char *all = context;
    size_t used = strlen(all);

    snprintf(all + used, sizeof(warnings) - used, "%s\n", text);
}

static struct secbuf secret(const char *text)
{
    struct secbuf buf = {0};

    assert_int_equal(secbuf_append(&buf, text, strlen(text)), 0);
    return buf;
}

/* "user:hash\n" */
static void append_user(char *text, size_t size, const char *user, const char *password, unsigned cost)
{
    CLEANUP(secbuf_done) struct secbuf buf = secret(password);
    char hash[BCRYPT_SIZE + 1];
    size_t used = strlen(text);

    assert_int_equal(bcrypt_make(&buf, cost, hash), 0);
    snprintf(text + used, size - used, "%s:%s\n", user, hash);
}

/* The file, made in one step: path gets `lines`, then these users at cost 4 with password "<user>'s". */
static void write_users(const char *lines, ...)
{
    char text[4096], password[64];
    const char *user;
    va_list users;

    snprintf(text, sizeof(text), "%s", lines);
    va_start(users, lines);
    while ((user = va_arg(users, const char *)) != NULL) {
        snprintf(password, sizeof(password), "%s's", user);
        append_user(text, sizeof(text), user, password, 4);
    }
    va_end(users);
    make_file("new", text);
    assert_int_equal(chmod("new", 0600), 0);
    assert_int_equal(rename("new", "htpasswd"), 0);
}

static void authenticator_closep(struct authenticator **a)
{
    authenticator_close(*a);
}

static struct authenticator *open_with(struct authenticator_options options)
{
    struct authenticator *a = NULL;
    struct error err = {0};

    warnings[0] = '\0';
    options.path = "htpasswd";
    options.warn = collect;
    options.context = warnings;
    if (authenticator_open(&options, &a, &err) < 0)
        fail_msg("%s", err.text);
    return a;
}

static struct authenticator *open_users(void)
{
    return open_with((struct authenticator_options){0});
}

static enum auth_verdict look_up(struct authenticator *a, const char *user, const char *password)
{
    CLEANUP(secbuf_done) struct secbuf name = secret(user), word = secret(password);

    return authenticator_look_up(a, &name, &word);
}

static enum auth_verdict verify(struct authenticator *a, const char *user, const char *password)
{
    CLEANUP(secbuf_done) struct secbuf name = secret(user), word = secret(password);

    return authenticator_verify(a, &name, &word);
}

static struct authenticator_counters counters_of(const struct authenticator *a)
{
    struct authenticator_counters counters;

    authenticator_get_counters(a, &counters);
    return counters;
}

static unsigned count_warnings(const char *part)
{
    unsigned count = 0;

    for (const char *at = warnings; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

/* --- verdicts --------------------------------------------------------------------------- */

static void a_right_password_is_granted_and_remembered(void **state)
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

static void every_other_password_is_denied_each_time(void **state)
{
    static const char *const pairs[][2] = {
        {"alice", "bob's"}, {"alice", ""}, {"alice", "alice's "}, {"alice", "alice'"}, {"Alice", "alice's"}, {"", ""},
        {"carol", "carol's"}, {"carol", ""}, {"old", "secret"}, {"plain", "secret"}, {"alice ", "alice's"},
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

static void where_nobody_can_log_in_all_are_denied_at_once(void **state)
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
        assert_int_equal(count_warnings("names no user that could log in"), 1);
    }
}

static void what_was_remembered_is_forgotten_in_time(void **state)
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

static void no_more_are_remembered_than_was_said(void **state)
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

/* --- what time tells -------------------------------------------------------------------- */

static uint64_t work_of(struct authenticator *a, const char *user, const char *password)
{
    uint64_t before = counters_of(a).bcrypt_rounds;

    verify(a, user, password);
    return counters_of(a).bcrypt_rounds - before;
}

static void every_refusal_is_the_same_work(void **state)
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
    assert_int_equal(work_of(a, "four", "4"), 1 << 4); /* who is right knows that he exists */
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

/* The work that is counted is also done; of the thread's own time, so that no other load disturbs. */
static void every_refusal_takes_about_the_same_time(void **state)
{
    static const char *const users[] = {"four", "old", "nobody", ""};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[1000] = "old:" APR1 "\n";

    (void)state;
    append_user(text, sizeof(text), "nine", "9", 9);
    write_users(text, "four", NULL);
    a = open_users();
    time_of(a, "nine"); /* the first time, much is new */
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        double expected = time_of(a, "nine"), taken = time_of(a, users[i]);

        assert_case(users[i], taken > 0.5 * expected && taken < 2 * expected);
    }
}

static void with_one_cost_a_refusal_is_one_bcrypt(void **state)
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

/* A single hash of cost 20 would else make each wrong password take a minute. */
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

/* --- the file changes ------------------------------------------------------------------- */

static void a_changed_file_counts_at_once(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[200] = "";

    (void)state;
    write_users("", "alice", "bob", NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);

    append_user(text, sizeof(text), "alice", "changed", 4);
    write_users(text, "carol", NULL);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_DENIED);
    assert_int_equal(verify(a, "alice", "changed"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_DENIED);
    assert_int_equal(verify(a, "carol", "carol's"), AUTH_GRANTED);
}

static void who_did_not_change_stays_remembered(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[200] = "";

    (void)state;
    append_user(text, sizeof(text), "alice", "alice's", 4);
    write_users(text, NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    write_users(text, "bob", NULL);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(counters_of(a).bcrypts, 1);
}

static void a_file_that_disappears_leaves_its_users(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", "bob", NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    for (unsigned round = 1; round <= 2; round++) {
        assert_int_equal(unlink("htpasswd"), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
            assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);
            assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
            assert_int_equal(verify(a, "bob", "wrong"), AUTH_DENIED);
        }
        assert_int_equal(count_warnings("cannot read htpasswd: No such file or directory; the users known so far"), round);
        write_users("", "alice", "bob", NULL);
        assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    }
}

static void a_file_that_cannot_be_used_leaves_the_users_before(void **state)
{
    const struct timespec wait = {.tv_sec = 2, .tv_nsec = 100 * 1000 * 1000};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    assert_int_equal(unlink("htpasswd"), 0);
    make_folder("htpasswd");
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    nanosleep(&wait, NULL); /* then it is tried again, for a disk may recover */
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(count_warnings("cannot read htpasswd: Is a directory"), 1);
    assert_int_equal(rmdir("htpasswd"), 0);
    make_file("htpasswd", "");
    assert_int_equal(truncate("htpasswd", (16 << 20) + 1), 0);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(count_warnings("is larger than 16 MiB"), 1);
    write_users("", "bob", NULL);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_DENIED);
}

static void a_reload_reads_the_file_now(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct error err = {0};

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    write_users("", "bob", NULL);
    assert_int_equal(authenticator_reload(a, &err), 0);
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);
    assert_int_equal(unlink("htpasswd"), 0);
    assert_int_equal(authenticator_reload(a, &err), -ENOENT);
    assert_says(&err, "cannot read htpasswd");
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_GRANTED);
    assert_string_equal(warnings, "");
}

static void an_unchanged_file_is_not_warned_of_again(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct error err = {0};

    (void)state;
    write_users("nonsense\n", "alice", NULL);
    a = open_users();
    assert_int_equal(count_warnings("htpasswd line 1: the line has no ':'"), 1);
    assert_int_equal(utimensat(AT_FDCWD, "htpasswd", NULL, 0), 0);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(authenticator_reload(a, &err), 0);
    assert_int_equal(count_warnings("line 1"), 1);
}

static void a_fresh_file_is_looked_at_again_where_seconds_are_counted(void **state)
{
    const struct timespec whole[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    const struct timespec wait = {.tv_sec = 2, .tv_nsec = 100 * 1000 * 1000};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    assert_int_equal(utimensat(AT_FDCWD, "htpasswd", whole, 0), 0);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    nanosleep(&wait, NULL);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(counters_of(a).bcrypts, 1);
}

/* --- what the operator is told ---------------------------------------------------------- */

static void warnings_name_lines_and_never_quote_them(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("# comment\nhunter2\nold:hunter2\n", "alice", NULL);
    assert_int_equal(chmod("htpasswd", 0644), 0);
    a = open_users();
    assert_int_equal(count_warnings("htpasswd line 2: the line has no ':'"), 1);
    assert_int_equal(count_warnings("htpasswd line 3: the hash is not bcrypt"), 1);
    assert_int_equal(count_warnings("htpasswd can be read by every user of this machine: chmod o-r htpasswd"), 1);
    assert_int_equal(count_warnings("\n"), 3);
    assert_int_equal(count_warnings("hunter2"), 0);
    assert_int_equal(count_warnings("old"), 0);
}

static void there_is_an_end_to_warnings(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[400] = "";

    (void)state;
    for (int i = 0; i < 100; i++)
        memcpy(text + 2 * i, "x\n", 3);
    write_users(text, "alice", NULL);
    a = open_users();
    assert_int_equal(count_warnings("\n"), 17);
    assert_int_equal(count_warnings("84 more lines are of no use"), 1);
}

static void check_open_fails(int code, const char *text)
{
    struct authenticator *a = NULL;
    struct error err = {0};

    assert_int_equal(authenticator_open(&(struct authenticator_options){.path = "htpasswd"}, &a, &err), -code);
    assert_says(&err, text);
    assert_null(a);
}

static void without_users_there_is_no_start(void **state)
{
    (void)state;
    check_open_fails(ENOENT, "there is no file htpasswd with users; make one with: registryd htpasswd -Bn USER > htpasswd");
    assert_is_absent("htpasswd");
    make_folder("htpasswd");
    check_open_fails(EISDIR, "cannot read htpasswd: Is a directory");
    authenticator_close(NULL);
}

static void nobody_has_to_listen_to_warnings(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct error err;

    (void)state;
    write_users("nonsense\n", "alice", NULL);
    assert_int_equal(authenticator_open(&(struct authenticator_options){.path = "htpasswd"}, &a, &err), 0);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
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

/* As many clients as you like that come with the same password at once cost a bcrypt a thread. */
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
        assert_int_equal(worker_pool_submit(pool, 1, &requests[i].job), 0);
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

/* Whoever is in the old file and in the new one is granted at every moment. */
static void reloads_disturb_nobody(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct client clients[4];
    struct error err;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = (struct client){.authenticator = a};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, ask_again_and_again, &clients[i]), 0);
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
        scratch_test(a_right_password_is_granted_and_remembered),
        scratch_test(every_other_password_is_denied_each_time),
        scratch_test(an_empty_password_may_be_right),
        scratch_test(a_password_with_a_nul_is_denied_without_bcrypt),
        scratch_test(where_nobody_can_log_in_all_are_denied_at_once),
        scratch_test(what_was_remembered_is_forgotten_in_time),
        scratch_test(no_more_are_remembered_than_was_said),
        scratch_test(every_refusal_is_the_same_work),
        scratch_test(every_refusal_takes_about_the_same_time),
        scratch_test(with_one_cost_a_refusal_is_one_bcrypt),
        scratch_test(the_work_is_bounded),
        scratch_test(a_changed_file_counts_at_once),
        scratch_test(who_did_not_change_stays_remembered),
        scratch_test(a_file_that_disappears_leaves_its_users),
        scratch_test(a_file_that_cannot_be_used_leaves_the_users_before),
        scratch_test(a_reload_reads_the_file_now),
        scratch_test(an_unchanged_file_is_not_warned_of_again),
        scratch_test(a_fresh_file_is_looked_at_again_where_seconds_are_counted),
        scratch_test(warnings_name_lines_and_never_quote_them),
        scratch_test(there_is_an_end_to_warnings),
        scratch_test(without_users_there_is_no_start),
        scratch_test(nobody_has_to_listen_to_warnings),
        scratch_test(parallel_requests_share_a_bcrypt),
        scratch_test(reloads_disturb_nobody),
    };

    return cmocka_run_group_tests_name("authenticator", tests, NULL, NULL);
}
