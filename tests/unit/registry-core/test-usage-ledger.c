#include "registry/core/usage-ledger.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/registry-core/support.h"

enum { A, B, C, OWNERS };

/* Repositories with blobs of 1, 10, 100 and 1000 bytes: alone, of two owners, and of all. */
static void fill_ledger(struct store *store, struct usage_ledger *ledger)
{
    static char text[1001], *names[] = {(char *)"a", (char *)"b", (char *)"c"};
    static const struct { const char *owner; int size; } blobs[] = {
        {"a", 1}, {"a", 10}, {"b", 10}, {"a", 100}, {"b", 100}, {"c", 100}, {"c", 1000},
    };
    const struct store_names list = {.items = names, .count = OWNERS};
    struct error err = {0};

    for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
        snprintf(text, sizeof(text), "%0*d", blobs[i].size, 0);
        push_blob(store, blobs[i].owner, text);
    }
    *ledger = (struct usage_ledger){.store = store};
    assert_int_equal(usage_ledger_read(ledger, &list, &err), 0);
}

static void bytes_are_alone_or_shared(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(usage_ledger_done) struct usage_ledger ledger = {0};
    struct usage usages[OWNERS] = {{0}}, total;

    (void)state;
    fill_ledger(store, &ledger);
    usage_ledger_sum(&ledger, NULL, usages, &total);
    assert_int_equal(total.bytes, 1111);
    assert_int_equal(total.alone, 1001);
    assert_int_equal(total.objects, 4);
    assert_int_equal(usages[A].bytes, 111);
    assert_int_equal(usages[A].alone, 1);
    assert_int_equal(usages[B].bytes, 110);
    assert_int_equal(usages[B].alone, 0);
    assert_int_equal(usages[C].bytes, 1100);
    assert_int_equal(usages[C].alone, 1000);
}

/* The figures must not tell what repositories have that somebody may not see. */
static void owners_that_do_not_count_might_not_exist(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(usage_ledger_done) struct usage_ledger ledger = {0};
    const bool counts[OWNERS] = {[A] = true, [C] = true};
    struct digest ten = sha256_of("0000000000"), thousand;
    struct usage usages[OWNERS] = {{0}}, total;
    char text[1001];

    (void)state;
    fill_ledger(store, &ledger);
    usage_ledger_sum(&ledger, counts, usages, &total);
    assert_int_equal(total.bytes, 1111);
    assert_int_equal(total.alone, 1011);
    assert_int_equal(usages[A].alone, 11);
    assert_int_equal(usages[B].bytes, 0);
    assert_true(usage_ledger_has_other(&ledger, NULL, A, &ten));
    assert_false(usage_ledger_has_other(&ledger, counts, A, &ten));
    snprintf(text, sizeof(text), "%01000d", 0);
    thousand = sha256_of(text);
    assert_false(usage_ledger_has_other(&ledger, NULL, C, &thousand));
    assert_true(usage_ledger_has_other(&ledger, NULL, A, &thousand));
    ten = sha256_of("unknown");
    assert_false(usage_ledger_has_other(&ledger, NULL, A, &ten));
}

static void missing_bytes_count_nothing(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(usage_ledger_done) struct usage_ledger ledger = {0};
    struct usage usages[OWNERS] = {{0}}, total;
    struct digest one = sha256_of("0");
    struct error err = {0};

    (void)state;
    fill_ledger(store, &ledger);
    assert_int_equal(remove(below("blobs/sha256/%.2s/%s/data", one.hex, one.hex)), 0);
    assert_int_equal(usage_ledger_measure(&ledger, &err), 0);
    usage_ledger_sum(&ledger, NULL, usages, &total);
    assert_int_equal(total.bytes, 1110);
    assert_int_equal(usages[A].alone, 0);
    assert_int_equal(total.objects, 3);
}

static void a_share_counts_once_and_their_number_is_limited(void **state)
{
    CLEANUP(usage_ledger_done) struct usage_ledger ledger = {.most = 4};
    struct digest one = sha256_of("1"), two = sha256_of("2");
    const struct digest_id first = digest_id_of(&one), second = digest_id_of(&two);
    struct error err = {0};

    (void)state;
    assert_int_equal(usage_ledger_add(&ledger, &first, A, &err), 0);
    assert_int_equal(usage_ledger_add(&ledger, &second, B, &err), 0);
    assert_int_equal(usage_ledger_add(&ledger, &first, A, &err), 0);
    assert_int_equal(usage_ledger_add(&ledger, &first, B, &err), 0);
    assert_int_equal(usage_ledger_add(&ledger, &second, A, &err), -E2BIG);
    usage_ledger_tidy(&ledger);
    assert_int_equal(ledger.count, 3);
    assert_non_null(usage_ledger_find(&ledger, ledger.count, &first));
    assert_null(usage_ledger_find(&ledger, 0, &first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(bytes_are_alone_or_shared),
        scratch_test(owners_that_do_not_count_might_not_exist),
        scratch_test(missing_bytes_count_nothing),
        scratch_test(a_share_counts_once_and_their_number_is_limited),
    };

    return cmocka_run_group_tests_name("usage-ledger", tests, NULL, NULL);
}
