#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

static void referrers_are_listed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest subject = push_image(store, "a", "t", "subject", NULL);
    struct digest one = push_image(store, "a", NULL, "1", &subject),
                  two = push_image(store, "a", "s", "2", &subject);

    (void)state;
    push_image(store, "b", NULL, "3", &subject);
    assert_int_equal(count_referrers(store, "a", subject), 2);
    assert_true(is_referrer(store, "a", subject, one));
    assert_true(is_referrer(store, "a", subject, two));
    assert_int_equal(count_referrers(store, "a", one), 0);
    assert_int_equal(count_referrers(store, "b", subject), 1);
    assert_int_equal(count_referrers(store, "nowhere", subject), 0);
    assert_file_is(
        below("repositories/a/_manifests/referrers/sha256/%s/sha256/%s/link", subject.hex, one.hex),
        text_of(one));
}

static void a_subject_may_be_missing(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest subject = sha256_of("nothing"), long_one = sha512_of("nothing");

    (void)state;
    push_image(store, "a", NULL, "1", &subject);
    push_image(store, "a", NULL, "2", &long_one);
    assert_int_equal(count_referrers(store, "a", subject), 1);
    assert_int_equal(count_referrers(store, "a", long_one), 1);
}

static void deleted_referrers_are_not_listed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest subject = push_image(store, "a", "t", "subject", NULL);
    struct digest one = push_image(store, "a", NULL, "1", &subject);
    struct error err = {0};

    (void)state;
    assert_int_equal(store_delete_manifest(store, "a", &subject, NULL, &err), 0);
    assert_int_equal(count_referrers(store, "a", subject), 1);
    assert_int_equal(store_delete_manifest(store, "a", &one, NULL, &err), 0);
    assert_int_equal(count_referrers(store, "a", subject), 0);
    assert_tree_is(below("repositories/a/_manifests/referrers/sha256/%s/sha256", subject.hex), "");
    push_image(store, "a", NULL, "1", &subject);
    assert_int_equal(count_referrers(store, "a", subject), 1);
}

/* The state that registry:2 leaves: it does not maintain the index. */
static void put_as_registry_2(const char *name, const char *text)
{
    struct digest digest = sha256_of(text);

    make_file(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex), text);
    make_file(below("repositories/%s/_manifests/revisions/sha256/%s/link", name, digest.hex),
              text_of(digest));
}

static void referrers_pushed_to_registry_2_are_found(void **state)
{
    enum { MANY = 70 }; /* more than one batch of writes */
    struct store *store = open_store();
    struct digest subject = sha256_of("subject");
    char what[16];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(what, sizeof(what), "%d", i);
        put_as_registry_2("a", image_of(sha256_of(what), what, &subject));
    }
    put_as_registry_2("a", image_of(sha256_of("x"), "no subject", NULL));
    put_as_registry_2("a", "no manifest");
    assert_int_equal(count_referrers(store, "a", subject), MANY);
    assert_int_equal(count_referrers(store, "a", subject), MANY);
    store_close(store);

    put_as_registry_2("a", image_of(sha256_of("x"), "later", &subject));
    store = open_store();
    push_image(store, "a", NULL, "first a push", &subject);
    assert_int_equal(count_referrers(store, "a", subject), MANY + 2);
    store_close(store);
}

static char *large_image(int number, const struct digest *subject, size_t size)
{
    char *text = malloc(size + 1024);

    assert_non_null(text);
    snprintf(
        text, size + 1024,
        "{\"schemaVersion\":2,\"number\":%d,\"subject\":{\"mediaType\":\"a/b\",\"digest\":\"%s\","
        "\"size\":1},\"config\":{\"mediaType\":\"a/"
        "b\",\"digest\":\"%s\",\"size\":1},\"layers\":[]%*s}",
        number, text_of(*subject), text_of(*subject), (int)size, "");
    return text;
}

/* A call reads a bounded number of bytes, and the next one continues where it ended. */
static void referrers_are_searched_in_parts(void **state)
{
    enum { COUNT = 40, SIZE = 1 << 20 };
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct digest subject = sha256_of("subject");
    struct error err = {0};
    int r, calls = 1;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        char *text = large_image(i, &subject, SIZE);

        put_as_registry_2("a", text);
        free(text);
    }
    while ((r = store_list_referrers(store, "a", &subject, &digests, &err)) == STORE_WOULD_WAIT)
        calls++;
    assert_int_equal(r, 0);
    assert_int_equal(digests.count, COUNT);
    assert_in_range(calls, COUNT / 8, COUNT + 1);
}

static void referrers_deleted_by_registry_2_are_omitted(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest subject = sha256_of("subject"), one = push_image(store, "a", NULL, "1", &subject);

    (void)state;
    assert_int_equal(remove(below("repositories/a/_manifests/revisions/sha256/%s/link", one.hex)),
                     0);
    assert_int_equal(count_referrers(store, "a", subject), 0);
}

/* It also has a revision by sha256, which must not be listed separately. */
static void a_referrer_is_listed_by_the_digest_it_was_pushed_by(void **state)
{
    struct store *store = open_store();
    struct digest subject = sha256_of("subject");
    const char *text = image_of(sha256_of("x"), "x", &subject);
    struct store_manifest manifest = {
        .digest = sha512_of(text),
        .media_type = IMAGE_TYPE,
        .bytes = text,
        .size = strlen(text),
        .subject = &subject,
    };
    struct error err = {0};

    (void)state;
    assert_int_equal(store_put_manifest(store, "a", &manifest, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(count_referrers(store, "a", subject), 1);
        assert_true(is_referrer(store, "a", subject, manifest.digest));
        store_close(store);
        store = open_store();
    }
    assert_int_equal(store_delete_manifest(store, "a", &manifest.digest, NULL, &err), 0);
    assert_int_equal(count_referrers(store, "a", subject), 0);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(referrers_are_listed),
        scratch_test(a_subject_may_be_missing),
        scratch_test(deleted_referrers_are_not_listed),
        scratch_test(referrers_pushed_to_registry_2_are_found),
        scratch_test(referrers_are_searched_in_parts),
        scratch_test(referrers_deleted_by_registry_2_are_omitted),
        scratch_test(a_referrer_is_listed_by_the_digest_it_was_pushed_by),
    };

    return cmocka_run_group_tests_name("store-referrers", tests, NULL, NULL);
}
