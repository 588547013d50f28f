#include "registry/core/upload-states.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/check.h"

static struct upload_hash hash_of_some(uint64_t hashed)
{
    struct upload_hash hash = {.hashed = hashed};

    assert_int_equal(hasher_new(DIGEST_SHA256, &hash.sha256), 0);
    return hash;
}

static void a_session_is_claimed_once(void **state)
{
    struct upload_states *states = upload_states_new();
    struct upload_hash hash = {0}, other = {0};

    (void)state;
    assert_int_equal(upload_states_claim(states, "a", "1", 0, &hash), 0);
    assert_int_equal(upload_states_claim(states, "a", "1", 0, &other), -EBUSY);
    assert_int_equal(upload_states_claim(states, "a", "2", 0, &other), 0);
    assert_int_equal(upload_states_claim(states, "b", "1", 0, &other), 0);
    upload_states_release(states, "a", "1", &hash, true);
    assert_int_equal(upload_states_claim(states, "a", "1", 0, &hash), 0);
    upload_states_free(states); /* claims and all */
    upload_states_free(NULL);
}

static void *release_soon(void *states)
{
    struct upload_hash hash = {0};

    usleep(50000);
    upload_states_release(states, "a", "1", &hash, true);
    return NULL;
}

static void who_has_patience_waits(void **state)
{
    struct upload_states *states = upload_states_new();
    struct upload_hash hash = {0};
    pthread_t thread;

    (void)state;
    assert_int_equal(upload_states_claim(states, "a", "1", 0, &hash), 0);
    assert_int_equal(upload_states_claim(states, "a", "1", 20, &hash), -EBUSY);
    assert_int_equal(pthread_create(&thread, NULL, release_soon, states), 0);
    assert_int_equal(upload_states_claim(states, "a", "1", 60000, &hash), 0);
    pthread_join(thread, NULL);
    upload_states_free(states);
}

static void a_hash_is_kept_for_the_next(void **state)
{
    struct upload_states *states = upload_states_new();
    struct upload_hash hash = {0};
    struct hasher *hasher;

    (void)state;
    assert_int_equal(upload_states_claim(states, "a", "1", 0, &hash), 0);
    assert_null(hash.sha256);
    hash = hash_of_some(5);
    hasher = hash.sha256;
    upload_states_release(states, "a", "1", &hash, true);
    assert_null(hash.sha256);
    assert_int_equal(upload_states_claim(states, "a", "1", 0, &hash), 0);
    assert_ptr_equal(hash.sha256, hasher);
    assert_int_equal(hash.hashed, 5);
    upload_states_release(states, "a", "1", &hash, false);
    assert_int_equal(upload_states_claim(states, "a", "1", 0, &hash), 0);
    assert_null(hash.sha256);
    upload_states_release(states, "a", "1", &hash, true);
    upload_states_free(states);
}

static void the_oldest_are_forgotten(void **state)
{
    enum { KEPT = 1024, MORE = 10 };
    struct upload_states *states = upload_states_new();
    struct upload_hash hash;
    char id[16];

    (void)state;
    for (int i = 0; i < KEPT + MORE; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(upload_states_claim(states, "a", id, 0, &hash), 0);
        hash = hash_of_some((uint64_t)i);
        upload_states_release(states, "a", id, &hash, true);
    }
    for (int i = 0; i < KEPT + MORE; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(upload_states_claim(states, "a", id, 0, &hash), 0);
        assert_true(i < MORE ? !hash.sha256 : hash.sha256 && hash.hashed == (uint64_t)i);
        upload_hash_done(&hash);
    }
    upload_states_free(states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_claimed_once),
        cmocka_unit_test(who_has_patience_waits),
        cmocka_unit_test(a_hash_is_kept_for_the_next),
        cmocka_unit_test(the_oldest_are_forgotten),
    };

    return cmocka_run_group_tests_name("store-upload-states", tests, NULL, NULL);
}
