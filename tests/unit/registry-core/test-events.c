#include "registry/core/events.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

/* The reported events, one line each. */
static char seen[2048];

static void listen(void *object, const struct event *event)
{
    static const char *const kinds[] = {
        [EVENT_PUSH_BLOB] = "push-blob",
        [EVENT_PUSH_MANIFEST] = "push-manifest",
        [EVENT_PULL_BLOB] = "pull-blob",
        [EVENT_PULL_MANIFEST] = "pull-manifest",
        [EVENT_MOUNT_BLOB] = "mount",
        [EVENT_DELETE_BLOB] = "delete-blob",
        [EVENT_DELETE_MANIFEST] = "delete-manifest",
        [EVENT_DELETE_TAG] = "delete-tag",
    };
    size_t used = strlen(seen);

    assert_ptr_equal(object, seen);
    snprintf(seen + used, sizeof(seen) - used, "%s %s %s %.4s %ju %s %s %s\n", kinds[event->kind],
             event->repository, event->tag ? event->tag : "-",
             event->digest ? event->digest->hex : "-", (uintmax_t)event->size,
             event->media_type ? "typed" : "-", event->source ? event->source : "-",
             event->actor ? event->actor : "-");
}

static struct store *open_listened(void)
{
    struct store *store = open_store();

    seen[0] = '\0';
    store_set_listener(store, listen, seen);
    return store;
}

static void each_change_is_reported(void **state)
{
    CLEANUP(store_closep) struct store *store = open_listened();
    struct digest blob = push_blob(store, "a", "hello"), image;
    struct error err = {0};

    (void)state;
    assert_string_equal(seen, "push-blob a - 2cf2 5 - - -\n");
    seen[0] = '\0';
    assert_int_equal(store_mount_blob(store, "b", &blob, "a", "ann", &err), 0);
    assert_int_equal(store_unlink_blob(store, "b", &blob, "ann", &err), 0);
    assert_string_equal(seen, "mount b - 2cf2 5 - a ann\ndelete-blob b - 2cf2 0 - - ann\n");
    image = push_manifest(store, "a", "t", IMAGE_TYPE, image_of(blob, "x", NULL));
    seen[0] = '\0';
    push_manifest(store, "a", NULL, IMAGE_TYPE, image_of(blob, "x", NULL));
    assert_non_null(strstr(seen, "push-manifest a - "));
    seen[0] = '\0';
    assert_int_equal(store_delete_tag(store, "a", "t", "bob", &err), 0);
    assert_int_equal(store_delete_manifest(store, "a", &image, "bob", &err), 0);
    assert_non_null(strstr(seen, "delete-tag a t "));
    assert_non_null(strstr(seen, "delete-manifest a - "));
}

static void failures_are_not_reported(void **state)
{
    CLEANUP(store_closep) struct store *store = open_listened();
    struct digest missing = sha256_of("missing");
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    struct error err = {0};

    (void)state;
    assert_int_equal(commit_upload(upload, missing), STORE_DIGEST_MISMATCH);
    upload_release(upload);
    assert_int_equal(store_mount_blob(store, "b", &missing, "a", NULL, &err), STORE_NOT_FOUND);
    assert_int_equal(store_unlink_blob(store, "b", &missing, NULL, &err), STORE_NOT_FOUND);
    assert_int_equal(store_delete_tag(store, "b", "t", NULL, &err), STORE_NOT_FOUND);
    assert_int_equal(store_delete_manifest(store, "b", &missing, NULL, &err), STORE_NOT_FOUND);
    assert_string_equal(seen, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(each_change_is_reported),
        scratch_test(failures_are_not_reported),
    };

    return cmocka_run_group_tests_name("core-events", tests, NULL, NULL);
}
