#include "registry/core/key.h"
#include "registry/storage/filesystem/filesystem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

#define HEX "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define REPOSITORY "repositories/a/b/"

static void keys_are_registry_2s(void **state)
{
    struct digest digest = sha256_of("hello");

    (void)state;
    assert_string_equal(key_blob(&digest).text, "blobs/sha256/2c/" HEX "/data");
    assert_string_equal(key_blob_prefix(&digest).text, "blobs/sha256/2c/" HEX "/");
    assert_string_equal(key_layer("a/b", &digest).text, REPOSITORY "_layers/sha256/" HEX "/link");
    assert_string_equal(key_layer_prefix("a/b", &digest).text,
                        REPOSITORY "_layers/sha256/" HEX "/");
    assert_string_equal(key_layers("a/b", DIGEST_SHA512).text, REPOSITORY "_layers/sha512/");
    assert_string_equal(key_revision("a/b", &digest, "link").text,
                        REPOSITORY "_manifests/revisions/sha256/" HEX "/link");
    assert_string_equal(key_revision("a/b", &digest, "").text,
                        REPOSITORY "_manifests/revisions/sha256/" HEX "/");
    assert_string_equal(key_revisions("a/b", DIGEST_SHA256).text,
                        REPOSITORY "_manifests/revisions/sha256/");
    assert_string_equal(key_tag_prefix("a/b", "v1").text, REPOSITORY "_manifests/tags/v1/");
    assert_string_equal(key_tag_current("a/b", "v1").text,
                        REPOSITORY "_manifests/tags/v1/current/link");
    assert_string_equal(key_tag_index("a/b", "v1", &digest, "link").text,
                        REPOSITORY "_manifests/tags/v1/index/sha256/" HEX "/link");
    assert_string_equal(key_upload("a/b", "id", "data").text, REPOSITORY "_uploads/id/data");
    assert_string_equal(key_upload("a/b", "id", "").text, REPOSITORY "_uploads/id/");
}

static void our_own_keys_do_not_collide_with_them(void **state)
{
    struct digest digest = sha256_of("hello"), subject = sha512_of("hello");
    char expected[KEY_SIZE];

    (void)state;
    snprintf(expected, sizeof(expected),
             REPOSITORY "_manifests/referrers/sha512/%s/sha256/" HEX "/link", subject.hex);
    assert_string_equal(key_referrer("a/b", &subject, &digest).text, expected);
    assert_string_equal(key_revision("a/b", &digest, "media-type").text,
                        REPOSITORY "_manifests/revisions/sha256/" HEX "/media-type");
    snprintf(expected, sizeof(expected), "blobs/sha512/%.2s/%s/link", subject.hex, subject.hex);
    assert_string_equal(key_alias(&subject).text, expected);
}

static void the_longest_key_fits(void **state)
{
    struct digest digest = sha512_of("");
    char name[256], tag[129];
    size_t size;

    (void)state;
    fill(name, 'n', 255);
    fill(tag, 't', 128);
    size = strlen(key_tag_index(name, tag, &digest, "link").text);
    assert_int_equal(size, strlen(REPOSITORY) - 3 + 255 + strlen("_manifests/tags/") + 128 +
                               strlen("/index/sha512/") + 128 + strlen("/link"));
    assert_true(strlen(key_referrer(name, &digest, &digest).text) < KEY_SIZE - 1);
}

static void a_directory_name_is_parsed_as_a_digest(void **state)
{
    struct digest digest;

    (void)state;
    assert_true(key_parse_hex(DIGEST_SHA256, HEX, &digest));
    assert_string_equal(digest.hex, HEX);
    assert_false(key_parse_hex(DIGEST_SHA512, HEX, &digest));
    assert_false(key_parse_hex(DIGEST_SHA256, "", &digest));
    assert_false(key_parse_hex(DIGEST_SHA256, HEX HEX HEX, &digest));
    assert_false(key_parse_hex(DIGEST_SHA256, ".", &digest));
}

static void a_link_holds_a_digest(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"sha256:" HEX, 0},
        {"", STORAGE_NOT_FOUND},
        {"sha256:" HEX "\n", -EBADMSG},
        {"sha256:", -EBADMSG},
        {"md5:d41d8cd98f00b204e9800998ecf8427e", -EBADMSG},
        {"sha512:" HEX, -EBADMSG},
        {"sha512:" HEX HEX HEX, -EFBIG},
    };
    struct key key = {"link"};
    struct storage *storage;
    struct digest digest;
    struct error err = {0};

    (void)state;
    assert_int_equal(filesystem_open("root", FILESYSTEM_SERVES, &storage, &err), 0);
    assert_int_equal(link_read(storage, &key, STORAGE_MAY_WAIT, &digest, &err), STORAGE_NOT_FOUND);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        make_file(below("link"), cases[i].text);
        assert_case(cases[i].text,
                    link_read(storage, &key, STORAGE_MAY_WAIT, &digest, &err) == cases[i].result);
    }
    storage_close(storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_registry_2s),
        cmocka_unit_test(our_own_keys_do_not_collide_with_them),
        cmocka_unit_test(the_longest_key_fits),
        cmocka_unit_test(a_directory_name_is_parsed_as_a_digest),
        scratch_test(a_link_holds_a_digest),
    };

    return cmocka_run_group_tests_name("store-key", tests, NULL, NULL);
}
