#include "registry/core/verify.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

/* All output lines, each with a newline. */
struct said {
    char text[4096];
};

static void keep_line(void *object, const char *line)
{
    struct said *said = object;
    size_t size = strlen(said->text);

    snprintf(said->text + size, sizeof(said->text) - size, "%s\n", line);
}

static struct verify_result verify(struct store *store, struct said *said)
{
    struct verify_result result;
    struct error err = {0};

    said->text[0] = '\0';
    assert_int_equal(store_verify(store, &(struct verify_options){.say = keep_line, .object = said},
                                  &result, &err),
                     0);
    return result;
}

static void intact_objects_are_counted(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct said said;
    struct verify_result result;

    (void)state;
    result = verify(store, &said);
    assert_int_equal(result.blobs, 0);
    push_blob(store, "a", "hello");
    push_blob(store, "b", "hello");
    push_blob(store, "b", "");
    result = verify(store, &said);
    assert_int_equal(result.blobs, 2);
    assert_int_equal(result.bytes, 5);
    assert_int_equal(result.damaged + result.missing, 0);
    assert_string_equal(said.text, "");
}

static void a_changed_byte_is_found(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct said said;
    struct verify_result result;

    (void)state;
    make_file(below("blobs/sha256/2c/%s/data", digest.hex), "hellp");
    result = verify(store, &said);
    assert_int_equal(result.damaged, 1);
    assert_int_equal(result.missing, 0);
    assert_non_null(strstr(said.text, "damaged: sha256:2cf24d"));
    assert_non_null(strstr(said.text, "do not match its digest"));
    make_file(below("blobs/sha256/2c/%s/data", digest.hex), "");
    assert_int_equal(verify(store, &said).damaged, 1);
}

static void missing_data_is_reported_in_each_repository(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", "t", "1", NULL),
                  digest = push_blob(store, "b/c", "1");
    char expected[200];
    struct said said;
    struct verify_result result;

    (void)state;
    assert_int_equal(remove(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex)), 0);
    assert_int_equal(remove(below("blobs/sha256/%.2s/%s/data", image.hex, image.hex)), 0);
    result = verify(store, &said);
    assert_int_equal(result.damaged, 0);
    assert_int_equal(result.missing, 3);
    snprintf(expected, sizeof(expected), "missing: sha256:%s, a blob of b/c\n", digest.hex);
    assert_non_null(strstr(said.text, expected));
    snprintf(expected, sizeof(expected), "missing: sha256:%s, a manifest of a\n", image.hex);
    assert_non_null(strstr(said.text, expected));
}

static void a_directory_in_place_of_data_is_damage(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct said said;

    (void)state;
    assert_int_equal(remove(below("blobs/sha256/2c/%s/data", digest.hex)), 0);
    make_directory(below("blobs/sha256/2c/%s/data", digest.hex));
    assert_int_equal(verify(store, &said).damaged, 1);
}

/*
 * Includes docker-registry's directories without links, and links that a power failure has emptied.
 */
static void links_with_wrong_content_are_reported(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest image = push_image(store, "a", "t", "1", NULL), blob = sha256_of("1"),
                  other = sha256_of("other");
    struct said said;

    (void)state;
    make_directory(below("repositories/a/_layers/sha256/%s", other.hex));
    assert_int_equal(verify(store, &said).wrong, 0);
    make_file(below("repositories/a/_layers/sha256/%s/link", blob.hex), text_of(other));
    make_file(below("repositories/a/_layers/sha512/%s/link", sha512_of("1").hex),
              text_of(sha512_of("1")));
    make_file(below("repositories/a/_manifests/revisions/sha512/%s/link", sha512_of("2").hex),
              text_of(image));
    make_file(below("repositories/a/_manifests/tags/empty/current/link"), "");
    make_file(below("repositories/a/_manifests/tags/astray/current/link"), text_of(other));
    assert_int_equal(verify(store, &said).wrong, 3);
    assert_int_equal(verify(store, &said).missing, 1);
    assert_non_null(strstr(said.text, "it is empty"));
    assert_non_null(strstr(said.text, "it does not contain the digest"));
    assert_non_null(strstr(said.text, "the tag astray of a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(intact_objects_are_counted),
        scratch_test(a_changed_byte_is_found),
        scratch_test(missing_data_is_reported_in_each_repository),
        scratch_test(a_directory_in_place_of_data_is_damage),
        scratch_test(links_with_wrong_content_are_reported),
    };

    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
