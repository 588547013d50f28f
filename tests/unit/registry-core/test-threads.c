/*
 * Many threads: pushes of the same and of different objects, concurrent deletes and readers. The
 * threads only record results; the main thread checks them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "registry/storage/filesystem/filesystem.h"
#include "tests/unit/registry-core/support.h"

enum { THREADS = 16, ROUNDS = 6 };

struct worker {
    pthread_t thread;
    struct store *store;
    int number;
    int result; /* of the first failed call */
    struct error err;
};

static atomic_bool is_over;

static void run_all(struct store *store, void *(*function)(void *), int count)
{
    struct worker workers[50] = {{0}};

    assert_true(count <= (int)ARRAY_SIZE(workers));
    for (int i = 0; i < count; i++) {
        workers[i].store = store;
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, function, &workers[i]), 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < count; i++) {
        if (workers[i].result != 0)
            fail_msg("thread %d: %d %s", i, workers[i].result, workers[i].err.text);
    }
}

/* --- without cmocka, which only the main thread uses ------------------------------------- */

static int digest_text(const char *text, struct digest *ret)
{
    return digest_of(DIGEST_SHA256, text, strlen(text), ret);
}

static int upload_text(struct worker *worker, const char *name, const char *text)
{
    struct upload *upload = NULL;
    struct digest digest;
    int r = digest_text(text, &digest);

    if (r == 0)
        r = store_upload_create(worker->store, name, DIGEST_SHA256, &upload, &worker->err);
    for (const char *c = text; r == 0 && *c; c++)
        r = upload_write(upload, c, 1, &worker->err);
    if (r == 0)
        r = upload_commit(upload, &digest, NULL, &worker->err);
    upload_release(upload);
    return r;
}

static int put_text(struct worker *worker, const char *text, const char *tag,
                    const struct digest *subject)
{
    struct store_manifest manifest = {
        .media_type = IMAGE_TYPE,
        .bytes = text,
        .size = strlen(text),
        .subject = subject,
        .tags = &tag,
        .tag_count = tag ? 1 : 0,
    };
    int r = digest_text(text, &manifest.digest);

    return r < 0 ? r : store_put_manifest(worker->store, "r", &manifest, &worker->err);
}

/* --- the same blobs and tag -------------------------------------------------------------- */

static char manifests[2][2048];

static void *push_the_same(void *object)
{
    struct worker *worker = object;

    for (int i = 0; worker->result == 0 && i < ROUNDS; i++) {
        worker->result = upload_text(worker, "r", i % 2 ? "shared one" : "shared two");
        if (worker->result == 0)
            worker->result = put_text(worker, manifests[(worker->number + i) % 2], "latest", NULL);
    }
    return NULL;
}

static void concurrent_pushes_of_the_same_objects_are_complete(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest tagged;

    (void)state;
    snprintf(manifests[0], sizeof(manifests[0]), "%s",
             image_of(sha256_of("shared one"), "1", NULL));
    snprintf(manifests[1], sizeof(manifests[1]), "%s",
             image_of(sha256_of("shared two"), "2", NULL));
    run_all(store, push_the_same, 50);
    assert_true(has_blob(store, "r", sha256_of("shared one")));
    assert_true(has_blob(store, "r", sha256_of("shared two")));
    for (int i = 0; i < 2; i++)
        assert_manifest_is(store, "r", sha256_of(manifests[i]), IMAGE_TYPE, manifests[i]);
    tagged = tag_of(store, "r", "latest");
    assert_true(has_manifest(store, "r", tagged));
    assert_nothing_temporary();
    assert_tree_is(below("repositories/r/_uploads"), "");
}

/* --- deletes during pushes --------------------------------------------------------------- */

/* Even ones push what odd ones delete. */
static void *push_or_delete(void *object)
{
    struct worker *worker = object;
    struct digest digest;
    int r = digest_text(manifests[0], &digest);

    for (int i = 0; r >= 0 && i < ROUNDS; i++) {
        if (worker->number % 4 == 0)
            r = put_text(worker, manifests[0], "latest", NULL);
        else if (worker->number % 4 == 1)
            r = store_delete_manifest(worker->store, "r", &digest, NULL, &worker->err);
        else if (worker->number % 4 == 2)
            r = store_delete_tag(worker->store, "r", "latest", NULL, &worker->err);
        else
            r = upload_text(worker, "r", "blob");
        if (r >= 0 && worker->number % 4 == 1) {
            r = digest_text("blob", &digest);
            if (r == 0)
                r = store_unlink_blob(worker->store, "r", &digest, NULL, &worker->err);
            if (r >= 0)
                r = digest_text(manifests[0], &digest);
        }
    }
    worker->result = r < 0 ? r : 0;
    return NULL;
}

static void no_dangling_tag_is_left(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest;

    (void)state;
    snprintf(manifests[0], sizeof(manifests[0]), "%s", image_of(sha256_of("config"), "1", NULL));
    for (int i = 0; i < 5; i++) {
        run_all(store, push_or_delete, THREADS);
        digest = tag_of(store, "r", "latest");
        assert_true(!*digest.hex || has_manifest(store, "r", digest));
        assert_nothing_temporary();
    }
}

/* --- a push during a delete -------------------------------------------------------------- */

static const struct storage_functions *real;
static struct storage_functions slow;
static struct worker pusher;

static void *push_it_again(void *object)
{
    struct worker *worker = object;

    worker->result = put_text(worker, manifests[0], "latest", NULL);
    return NULL;
}

/* The delete has checked all tags. A push at this point would be lost partly, so it must wait. */
static int remove_slowly(struct storage *storage, const char *const *keys, size_t count,
                         struct error *err)
{
    pthread_create(&pusher.thread, NULL, push_it_again, &pusher);
    usleep(100000);
    return real->remove(storage, keys, count, err);
}

static void a_push_waits_for_the_delete_before_it(void **state)
{
    struct storage *storage;
    struct store *store;
    struct error err = {0};
    struct digest digest;

    (void)state;
    assert_int_equal(filesystem_open("root", FILESYSTEM_SERVES, &storage, &err), 0);
    real = storage->functions;
    slow = *real;
    slow.remove = remove_slowly;
    storage->functions = &slow;
    assert_int_equal(store_open(storage, &store, &err), 0);
    snprintf(manifests[0], sizeof(manifests[0]), "%s", image_of(sha256_of("config"), "1", NULL));
    digest = push_manifest(store, "r", "latest", IMAGE_TYPE, manifests[0]);
    pusher = (struct worker){.store = store};
    assert_int_equal(store_delete_manifest(store, "r", &digest, NULL, &err), 0);
    pthread_join(pusher.thread, NULL);
    assert_int_equal(pusher.result, 0);
    assert_true(has_manifest(store, "r", digest));
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "latest ");
    store_close(store);
}

/* --- readers ----------------------------------------------------------------------------- */

/* A tag that always exists is always complete. */
static void *read_all_the_while(void *object)
{
    struct worker *worker = object;
    struct digest digest, found;

    while (worker->result == 0 && !is_over) {
        struct store_content content = {0};

        worker->result =
            store_resolve_tag(worker->store, "r", "latest", STORE_MAY_WAIT, &digest, &worker->err);
        if (worker->result == 0)
            worker->result = store_get_manifest(worker->store, "r", &digest, STORE_MAY_WAIT,
                                                &content, &worker->err);
        if (worker->result == 0)
            worker->result = digest_of(DIGEST_SHA256, content.bytes, content.size, &found);
        if (worker->result == 0 && !digest_is_equal(&digest, &found))
            worker->result = -EBADMSG;
        store_content_done(&content);
    }
    return NULL;
}

static void *push_then_end(void *object)
{
    struct worker *worker = object;

    if (worker->number >= 4)
        return read_all_the_while(object);
    for (int i = 0; worker->result == 0 && i < ROUNDS; i++)
        worker->result = put_text(worker, manifests[(worker->number + i) % 2], "latest", NULL);
    if (worker->number == 0)
        is_over = true;
    return NULL;
}

static void readers_see_whole_manifests(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    snprintf(manifests[0], sizeof(manifests[0]), "%s", image_of(sha256_of("config"), "1", NULL));
    snprintf(manifests[1], sizeof(manifests[1]), "%s", image_of(sha256_of("config"), "2", NULL));
    push_manifest(store, "r", "latest", IMAGE_TYPE, manifests[0]);
    is_over = false;
    run_all(store, push_then_end, 8);
}

/* --- referrers and sessions -------------------------------------------------------------- */

static struct digest subject;

static void *push_referrer(void *object)
{
    struct worker *worker = object;
    char text[1024];
    struct store_digests digests = {0};

    snprintf(text, sizeof(text),
             "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_TYPE "\",\"number\":%d,\"subject\":{"
             "\"mediaType\":\"" IMAGE_TYPE
             "\",\"digest\":\"sha256:%s\",\"size\":1},\"config\":{\"mediaType\":\"a/b\","
             "\"digest\":\"sha256:%s\",\"size\":1},\"layers\":[]}",
             worker->number, subject.hex, subject.hex);
    worker->result = put_text(worker, text, NULL, &subject);
    if (worker->result == 0)
        while ((worker->result = store_list_referrers(worker->store, "r", &subject, &digests,
                                                      &worker->err)) == STORE_WOULD_WAIT)
            continue;
    if (worker->result == 0 && digests.count == 0)
        worker->result = -ENOENT;
    store_digests_done(&digests);
    return NULL;
}

static void no_referrer_is_lost(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    subject = sha256_of("subject");
    run_all(store, push_referrer, THREADS);
    assert_int_equal(count_referrers(store, "r", subject), THREADS);
}

static char session[64];

/* Each thread adds "x" once, and retries if the session is busy. */
static void *add_one(void *object)
{
    struct worker *worker = object;
    struct upload *upload = NULL;
    int r;

    do
        r = store_upload_open(worker->store, "r", session, &upload, &worker->err);
    while (r == STORE_BUSY);
    if (r == 0)
        r = upload_write(upload, "x", 1, &worker->err);
    upload_release(upload);
    worker->result = r;
    return NULL;
}

static void writers_of_a_session_are_serialized(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload;
    struct error err = {0};
    struct digest digest = sha256_of("xxxxxxxxxxxxxxxx");

    (void)state;
    assert_int_equal(store_upload_create(store, "r", DIGEST_SHA256, &upload, &err), 0);
    snprintf(session, sizeof(session), "%s", upload_get_id(upload));
    upload_release(upload);
    run_all(store, add_one, THREADS);
    assert_int_equal(store_upload_open(store, "r", session, &upload, &err), 0);
    assert_int_equal(upload_commit(upload, &digest, NULL, &err), 0);
    upload_release(upload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(concurrent_pushes_of_the_same_objects_are_complete),
        scratch_test(no_dangling_tag_is_left),
        scratch_test(a_push_waits_for_the_delete_before_it),
        scratch_test(readers_see_whole_manifests),
        scratch_test(no_referrer_is_lost),
        scratch_test(writers_of_a_session_are_serialized),
    };

    return cmocka_run_group_tests_name("store-threads", tests, NULL, NULL);
}
