#include "registry/core/consequences.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

static int find(struct store *store, struct digest digest, struct consequences *ret)
{
    struct error err = {0};
    struct manifest_names_part all = {.last = "", .end_ms = INT64_MAX};
    const struct consequences_query query = {.name = "a", .digest = &digest, .part = &all};

    return store_find_consequences(store, &query, ret, &err);
}

/* The tags, with a blank after each. */
static const char *tags_in(const struct consequences *consequences)
{
    static char text[256];

    text[0] = '\0';
    for (size_t i = 0; i < consequences->tags.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
                 consequences->tags.items[i]);
    return text;
}

static bool frees(const struct consequences *consequences, struct digest digest)
{
    for (size_t i = 0; i < consequences->blob_count; i++)
        if (digest_is_equal(&consequences->blobs[i].canonical, &digest))
            return true;
    return false;
}

static void tags_and_own_blobs_go_along(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(consequences_done) struct consequences consequences = {0};
    struct digest config = push_blob(store, "a", "config"),
                  image = push_manifest(store, "a", "one", IMAGE_TYPE, image_of(config, "x", NULL));

    (void)state;
    push_manifest(store, "a", "two", IMAGE_TYPE, image_of(config, "x", NULL));
    push_image(store, "a", "other", "other", NULL);
    assert_int_equal(find(store, image, &consequences), 0);
    assert_string_equal(tags_in(&consequences), "one two ");
    assert_true(consequences.are_blobs_known);
    assert_int_equal(consequences.blob_count, 2);
    assert_true(frees(&consequences, config));
    assert_true(frees(&consequences, image));
}

static void blobs_of_another_manifest_stay(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(consequences_done) struct consequences consequences = {0};
    struct digest config = push_blob(store, "a", "config"),
                  image = push_manifest(store, "a", "one", IMAGE_TYPE, image_of(config, "x", NULL));

    (void)state;
    push_manifest(store, "a", NULL, IMAGE_TYPE, image_of(config, "y", NULL));
    assert_int_equal(find(store, image, &consequences), 0);
    assert_true(consequences.are_blobs_known);
    assert_int_equal(consequences.blob_count, 1);
    assert_true(frees(&consequences, image));
}

/* It might name everything. */
static void a_damaged_manifest_makes_the_blobs_unknown(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(consequences_done) struct consequences consequences = {0};
    struct digest image = push_image(store, "a", "one", "1", NULL),
                  other = push_image(store, "a", "two", "2", NULL);

    (void)state;
    make_file(below("blobs/sha256/%.2s/%s/data", other.hex, other.hex), "{");
    assert_int_equal(find(store, image, &consequences), 0);
    assert_string_equal(tags_in(&consequences), "one ");
    assert_false(consequences.are_blobs_known);
}

static void an_unknown_manifest_is_not_found(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct consequences consequences = {0};

    (void)state;
    assert_int_equal(find(store, sha256_of("x"), &consequences), STORE_NOT_FOUND);
    push_image(store, "a", "one", "1", NULL);
    assert_int_equal(find(store, sha256_of("x"), &consequences), STORE_NOT_FOUND);
}

/* A part without time has some tags, so that repeating it comes to an end. */
static void the_tags_come_in_parts(void **state)
{
    enum { TAGS = 75 };
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", "t00", "1", NULL);
    char last[TAG_MAX_SIZE + 1] = "";
    size_t parts = 0, found = 0, seen = 0;
    struct error err = {0};

    (void)state;
    push_image(store, "a", "other", "2", NULL);
    for (int i = 1; i < TAGS; i++) {
        char tag[8];

        snprintf(tag, sizeof(tag), "t%02d", i);
        assert_int_equal(store_put_tag(store, "a", tag, &image, &err), 0);
    }
    do {
        CLEANUP(consequences_done) struct consequences consequences = {0};
        struct manifest_names_part part = {.last = last, .end_ms = 0};
        const struct consequences_query query = {.name = "a", .digest = &image, .part = &part};

        assert_int_equal(store_find_consequences(store, &query, &consequences, &err), 0);
        assert_int_equal(consequences.are_blobs_known, parts == 0);
        assert_int_equal(part.total, TAGS + 1);
        assert_true(part.seen > seen);
        seen = part.seen;
        found += consequences.tags.count;
        parts++;
        memcpy(last, part.next, sizeof(last));
    } while (*last);
    assert_int_equal(seen, TAGS + 1);
    assert_int_equal(found, TAGS);
    assert_int_equal(parts, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(tags_and_own_blobs_go_along),
        scratch_test(blobs_of_another_manifest_stay),
        scratch_test(a_damaged_manifest_makes_the_blobs_unknown),
        scratch_test(an_unknown_manifest_is_not_found),
        scratch_test(the_tags_come_in_parts),
    };

    return cmocka_run_group_tests_name("consequences", tests, NULL, NULL);
}
