/* The contract of registry/storage/storage.h, which every backend must fulfil. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "registry/storage/filesystem/filesystem.h"
#include "tests/unit/check.h"
#include "registry/storage/s3/s3.h"
#include "tests/unit/registry-storage-s3/bucket-fixture.h"
#include "tests/unit/registry-storage-s3/small-store.h"
#include "tests/unit/registry-storage/memory-storage.h"
#include "tests/unit/scratch.h"

struct backend {
    const char *name;
    int (*open)(struct storage **ret, struct error *err);
    int (*open_again)(struct storage **ret, struct error *err); /* as another process; or NULL */
    void (*pass_time)(struct storage *storage, int64_t seconds);
    void (*lose_claims)(struct storage *storage, const char *upload);
    bool is_shared_by_processes;
    bool has_own_keys; /* below "registryd/" */
    bool names_bytes; /* a version says which bytes are there, and not which write put them there */
};

/* --- the filesystem ---------------------------------------------------------------------- */

static time_t past_s;

static int open_files(struct storage **ret, struct error *err)
{
    return filesystem_open("root", FILESYSTEM_SERVES, ret, err);
}

static int make_older(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const struct timespec times[2] = {{.tv_sec = st->st_mtim.tv_sec - past_s},
                                      {.tv_sec = st->st_mtim.tv_sec - past_s}};

    (void)type;
    (void)ftw;
    return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

static void pass_time_for_files(struct storage *storage, int64_t seconds)
{
    (void)storage;
    past_s = seconds;
    assert_int_equal(nftw("root", make_older, 16, FTW_PHYS | FTW_DEPTH), 0);
}

/* As a purge does after the holder's process ended. */
static void lose_files(struct storage *storage, const char *upload)
{
    struct error err = {0};

    assert_int_equal(storage_remove(storage, &upload, 1, &err), 0);
}

/* --- memory ------------------------------------------------------------------------------ */

static int open_memory(struct storage **ret, struct error *err)
{
    (void)err;
    *ret = memory_storage_new();
    return 0;
}

static void lose_memory(struct storage *storage, const char *upload)
{
    (void)upload;
    memory_storage_expire_claims(storage);
}

static const struct backend backends[] = {
    {.name = "filesystem",
     .open = open_files,
     .open_again = open_files,
     .pass_time = pass_time_for_files,
     .lose_claims = lose_files,
     .is_shared_by_processes = true},
    {.name = "memory",
     .open = open_memory,
     .pass_time = memory_storage_pass_time,
     .lose_claims = lose_memory},
};

/* --- shared by the cases ----------------------------------------------------------------- */

static const struct backend *backend;
static struct storage *storage;

static struct storage_step put_of(const char *key, const char *text)
{
    return (struct storage_step){
        .kind = STORAGE_PUT, .key = key, .data = text, .size = strlen(text)};
}

static int write_steps(const struct storage_step *steps, size_t count)
{
    struct error err = {0};
    int r = storage_write(storage, steps, count, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static void put(const char *key, const char *text)
{
    struct storage_step step = put_of(key, text);

    assert_int_equal(write_steps(&step, 1), 0);
}

/* Returns the text of an object, or "none"; the results of the last four calls stay valid. */
static const char *text_at(const char *key)
{
    static char texts[4][64];
    static int next;
    char *text = texts[next++ % 4];
    CLEANUP_FREE char *bytes = NULL;
    struct error err = {0};
    size_t size;
    int r = storage_get(storage, key, sizeof(texts[0]) - 1, STORAGE_MAY_WAIT, &bytes, &size, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    snprintf(text, sizeof(texts[0]), "%s", r == 0 ? bytes : "none");
    assert_true(r == STORAGE_NOT_FOUND || (r == 0 && size == strlen(bytes)));
    return text;
}

static struct storage_object head_of(const char *key)
{
    struct storage_object object;
    struct error err = {0};

    assert_int_equal(storage_head(storage, key, STORAGE_MAY_WAIT, &object, &err), 0);
    return object;
}

/* Returns the names of a page with a '/' after each prefix, and "+" if there are more. */
static const char *names_below(const char *prefix, const char *after, size_t limit)
{
    static char text[512];
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct error err = {0};
    size_t used = 0;

    if (storage_list(storage, prefix, after, limit, &list, &err) != 0)
        fail_msg("%s", err.text);
    text[0] = '\0';
    for (size_t i = 0; i < list.count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s ", list.entries[i]->name,
                                 list.entries[i]->is_prefix ? "/" : "");
    snprintf(text + used, sizeof(text) - used, "%s", list.has_more ? "+" : "");
    return text;
}

static struct storage_upload *open_upload(const char *key, enum storage_upload_mode mode)
{
    struct storage_upload *upload;
    struct error err = {0};
    int r = storage_upload_open(storage, key, mode, 0, &upload, &err);

    if (r != 0)
        fail_msg("%d %s", r, err.text);
    return upload;
}

static int append(struct storage_upload *upload, uint64_t offset, const char *text)
{
    struct error err = {0};
    int r = storage_upload_append(upload, offset, text, strlen(text), &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static struct storage_upload_state state_of(struct storage_upload *upload)
{
    struct storage_upload_state state;
    struct error err = {0};

    assert_int_equal(storage_upload_get_state(upload, &state, &err), 0);
    return state;
}

static int try_to_open(const char *key, enum storage_upload_mode mode, unsigned patience_ms)
{
    struct storage_upload *upload = NULL;
    struct error err = {0};
    int r = storage_upload_open(storage, key, mode, patience_ms, &upload, &err);

    storage_upload_close(upload);
    return r;
}

static int publish(struct storage_upload *upload, const char *key)
{
    struct storage_step step = {.kind = STORAGE_PUBLISH, .key = key, .upload = upload};

    return write_steps(&step, 1);
}

/* --- objects ----------------------------------------------------------------------------- */

static void objects_are_put_and_replaced(void **state)
{
    struct storage_step steps[] = {put_of("a/b/c", "one"), put_of("a/b/d", ""),
                                   put_of("top", "two"), put_of("a/b/c", "three")};
    struct storage_object object;
    struct error err = {0};
    char *bytes;
    size_t size;

    (void)state;
    assert_int_equal(write_steps(steps, 4), 0);
    assert_int_equal(write_steps(NULL, 0), 0);
    assert_string_equal(text_at("a/b/c"), "three");
    assert_string_equal(text_at("a/b/d"), "");
    assert_string_equal(text_at("top"), "two");
    assert_string_equal(text_at("a/b/nothing"), "none");
    assert_string_equal(text_at("top/below"), "none");
    assert_int_equal(head_of("a/b/c").size, 5);
    assert_int_equal(storage_head(storage, "a/nothing", STORAGE_MAY_WAIT, &object, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(storage_get(storage, "a/b/c", 4, STORAGE_MAY_WAIT, &bytes, &size, &err),
                     -EFBIG);
    assert_says(&err, "a/b/c");
    assert_int_equal(storage_check(storage, &err), 0);
}

static void a_reader_keeps_its_bytes(void **state)
{
    struct storage_reader *reader;
    struct storage_object object;
    static const char *const key = "a/b";
    struct error err = {0};
    char text[8] = "";

    (void)state;
    put(key, "hello");
    assert_int_equal(storage_open(storage, key, STORAGE_MAY_WAIT, &reader, &object, &err), 0);
    assert_int_equal(object.size, 5);
    put(key, "other");
    assert_int_equal(storage_reader_read(reader, 1, text, 3), 3);
    assert_string_equal(text, "ell");
    assert_int_equal(storage_remove(storage, &key, 1, &err), 0);
    assert_int_equal(storage_reader_read(reader, 0, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(storage_reader_read(reader, 5, text, sizeof(text)), 0);
    assert_int_equal(storage_reader_read(reader, 500, text, sizeof(text)), 0);
    storage_reader_close(reader);
    storage_reader_close(NULL);
    assert_int_equal(storage_open(storage, key, STORAGE_MAY_WAIT, &reader, &object, &err),
                     STORAGE_NOT_FOUND);
}

static void conditions_hold_or_conflict(void **state)
{
    struct storage_step absent = put_of("a/b", "one"), unchanged = put_of("a/b", "two");
    struct storage_object first;

    (void)state;
    absent.condition = STORAGE_IF_ABSENT;
    unchanged.condition = STORAGE_IF_UNCHANGED;
    assert_int_equal(write_steps(&unchanged, 1), STORAGE_CONFLICT);
    assert_int_equal(write_steps(&absent, 1), 0);
    assert_int_equal(write_steps(&absent, 1), STORAGE_CONFLICT);
    first = head_of("a/b");
    unchanged.version = first.version;
    assert_int_equal(write_steps(&unchanged, 1), 0);
    assert_string_equal(text_at("a/b"), "two");
    assert_int_equal(write_steps(&unchanged, 1), STORAGE_CONFLICT);
    put("a/b", backend->names_bytes ? "three" : "one");
    assert_int_equal(write_steps(&unchanged, 1), STORAGE_CONFLICT);
    assert_false(storage_version_is_same(&first.version, &(struct storage_version){0}));
}

static void a_version_changes_with_each_write_only(void **state)
{
    struct storage_object first, second, third;
    struct error err = {0};

    (void)state;
    put("a", "one");
    first = head_of("a");
    backend->pass_time(storage, 1000);
    assert_int_equal(storage_refresh(storage, "a", STORAGE_MAY_WAIT, &second, &err), 0);
    assert_true(storage_version_is_same(&first.version, &second.version));
    put("a", "two");
    put("b", "one"); /* may take the file number of the first */
    second = head_of("a");
    third = head_of("b");
    assert_false(storage_version_is_same(&first.version, &second.version));
    assert_true(backend->names_bytes || !storage_version_is_same(&first.version, &third.version));
}

static void a_step_that_fails_stops_those_after_it(void **state)
{
    struct storage_step steps[] = {put_of("first", "1"), put_of("second", "2"),
                                   put_of("third", "3")};

    (void)state;
    put("second", "old");
    steps[1].condition = STORAGE_IF_ABSENT;
    assert_int_equal(write_steps(steps, 3), STORAGE_CONFLICT);
    assert_string_equal(text_at("first"), "1");
    assert_string_equal(text_at("second"), "old");
    assert_string_equal(text_at("third"), "none");
    steps[1] = (struct storage_step){.kind = STORAGE_KEEP, .key = "missing"};
    assert_int_equal(write_steps(steps, 3), STORAGE_NOT_FOUND);
    assert_string_equal(text_at("third"), "none");
    steps[1].key = "second";
    assert_int_equal(write_steps(steps, 3), 0);
    assert_string_equal(text_at("third"), "3");
}

static void lists_come_in_pages_by_name(void **state)
{
    struct storage_step mark = {.kind = STORAGE_MARK, .key = "p/empty/"};

    (void)state;
    put("p/a-b/x", "");
    put("p/a/x", "");
    put("p/a/y", "");
    put("p/a.c", "");
    put("p/b", "");
    put("q", "");
    assert_string_equal(names_below("p/", NULL, SIZE_MAX), "a/ a-b/ a.c b ");
    assert_string_equal(names_below("p/", NULL, 2), "a/ a-b/ +");
    assert_string_equal(names_below("p/", "a-b", 2), "a.c b ");
    assert_string_equal(names_below("p/", "a", 1), "a-b/ +");
    assert_string_equal(names_below("p/", "a0", SIZE_MAX), "b ");
    assert_string_equal(names_below("p/", "b", SIZE_MAX), "");
    assert_string_equal(names_below("", NULL, SIZE_MAX),
                        backend->has_own_keys ? "p/ q registryd/ " : "p/ q ");
    assert_string_equal(names_below("nothing/", NULL, SIZE_MAX), "");
    assert_string_equal(names_below("q/", NULL, SIZE_MAX), "");
    assert_int_equal(write_steps(&mark, 1), 0);
    assert_int_equal(write_steps(&mark, 1), 0);
    assert_string_equal(names_below("p/empty/", NULL, SIZE_MAX), "");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * Pages of every size, whatever the characters: a store that lists by key puts "a-b/" before "a/".
 */
static void names_are_sorted_on_every_page(void **state)
{
    const char *names[] = {"b",   "a-b-c", "a",     "a.b", "a-", "a0",  "a-b",
                           "a b", "ab",    "a-b.c", "b-",  "a.", "a-b-"};
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char key[32];

        snprintf(key, sizeof(key), i % 4 == 3 ? "p/%s" : "p/%s/x", names[i]);
        put(key, "");
    }
    qsort(names, ARRAY_SIZE(names), sizeof(*names), compare_names);
    for (size_t limit = 1; limit <= ARRAY_SIZE(names) + 1; limit += 2) {
        const char *after = NULL;

        for (size_t at = 0; at < ARRAY_SIZE(names);) {
            CLEANUP(storage_list_done) struct storage_list list = {0};

            assert_int_equal(storage_list(storage, "p/", after, limit, &list, &err), 0);
            assert_true(list.count == limit || at + list.count == ARRAY_SIZE(names));
            for (size_t i = 0; i < list.count; i++)
                assert_string_equal(list.entries[i]->name, names[at++]);
            assert_int_equal(list.has_more, at < ARRAY_SIZE(names));
            after = names[at - 1];
        }
    }
}

/* Returns the keys of a page, and "+" if there are more. */
static const char *keys_below(const char *prefix, const char *after, size_t limit)
{
    static char text[512];
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct error err = {0};
    size_t used = 0;

    if (storage_list_keys(storage, prefix, after, limit, &list, &err) != 0)
        fail_msg("%s", err.text);
    text[0] = '\0';
    for (size_t i = 0; i < list.count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s ", list.entries[i]->name);
    snprintf(text + used, sizeof(text) - used, "%s", list.has_more ? "+" : "");
    return text;
}

static void keys_of_any_depth_are_listed(void **state)
{
    (void)state;
    if (!storage->functions->list_keys)
        return;
    put("p/a/x/y", "");
    put("p/a-b/x", "");
    put("p/a0", "");
    put("p/b", "");
    put("q", "");
    assert_string_equal(keys_below("p/", NULL, STORAGE_KEYS_MAX), "a-b/x a/x/y a0 b ");
    assert_string_equal(keys_below("p/", NULL, 2), "a-b/x a/x/y +");
    assert_string_equal(keys_below("p/", "a/x/y", 1), "a0 +");
    assert_string_equal(keys_below("p/", "a/", 1), "a/x/y +");
    assert_string_equal(keys_below("p/", "a0", STORAGE_KEYS_MAX), "b ");
    assert_string_equal(keys_below("p/", "b", STORAGE_KEYS_MAX), "");
    assert_string_equal(keys_below("nothing/", NULL, STORAGE_KEYS_MAX), "");
}

static void objects_and_prefixes_are_removed(void **state)
{
    static const char *const keys[] = {"a/b/",           "a/x", "a/c",  "b/nothing",
                                       "nothing/below/", "top", "c/d/e"};
    struct error err = {0};

    (void)state;
    put("a/b/deep/er/object", "");
    put("a/b/object", "");
    put("a/bc", "");
    put("a/c", "");
    put("b/stays", "");
    put("c/d/e", "");
    put("top", "");
    for (int i = 0; i < 2; i++)
        assert_int_equal(storage_remove(storage, keys, ARRAY_SIZE(keys), &err), 0);
    assert_int_equal(storage_remove(storage, NULL, 0, &err), 0);
    assert_string_equal(names_below("a/", NULL, SIZE_MAX), "bc ");
    assert_string_equal(names_below("b/", NULL, SIZE_MAX), "stays ");
    assert_string_equal(text_at("top"), "none");
    assert_string_equal(text_at("c/d/e"), "none");
}

static void an_unchanged_object_is_removed(void **state)
{
    struct storage_object object;
    struct error err = {0};

    (void)state;
    put("a/b", "one");
    object = head_of("a/b");
    put("a/b", "two");
    assert_int_equal(storage_remove_if_unchanged(storage, "a/b", &object.version, &err),
                     STORAGE_CONFLICT);
    assert_string_equal(text_at("a/b"), "two");
    object = head_of("a/b");
    assert_int_equal(storage_remove_if_unchanged(storage, "a/b", &object.version, &err), 0);
    assert_int_equal(storage_remove_if_unchanged(storage, "a/b", &object.version, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(storage_remove_if_unchanged(storage, "x/y", &object.version, &err),
                     STORAGE_NOT_FOUND);
}

static void a_note_is_an_object(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(storage_note(storage, "a/b", "long text", 9, &err), 0);
    assert_int_equal(storage_note(storage, "a/b", "short", 5, &err), 0);
    assert_string_equal(text_at("a/b"), "short");
}

/* --- uploads ----------------------------------------------------------------------------- */

static void an_upload_grows_at_its_end_and_is_published(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    struct error err = {0};
    char text[8] = "";
    uint64_t size = 99;
    int64_t started_s;

    (void)state;
    assert_int_equal(state_of(upload).size, 0);
    assert_int_equal(append(upload, 0, "hel"), 0);
    assert_int_equal(append(upload, 0, "x"), STORAGE_WRONG_OFFSET);
    assert_int_equal(append(upload, 2, "x"), STORAGE_WRONG_OFFSET);
    assert_int_equal(append(upload, 4, "x"), STORAGE_WRONG_OFFSET);
    assert_int_equal(append(upload, 3, "lo"), 0);
    assert_int_equal(append(upload, 5, ""), 0);
    assert_int_equal(storage_upload_read(upload, 1, text, 3), 3);
    assert_string_equal(text, "ell");
    assert_int_equal(storage_upload_keep(upload, &err), 0);
    assert_int_equal(storage_upload_head(storage, "s/data", &size, &started_s, &err), 0);
    assert_int_equal(size, 5);
    assert_int_equal(publish(upload, "x/y/data"), 0);
    storage_upload_close(upload);
    storage_upload_close(NULL);
    assert_string_equal(text_at("x/y/data"), "hello");
    assert_int_equal(storage_upload_head(storage, "s/data", &size, &started_s, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_RESUME, 0), STORAGE_NOT_FOUND);
}

enum { PIECE = 1 << 20, PIECES = 26 };

static char byte_at(size_t i)
{
    return (char)(i * 11 + i / 4091);
}

static void append_pieces(struct storage_upload *upload, size_t first, size_t end)
{
    static char piece[PIECE];
    struct error err = {0};

    for (size_t at = first * PIECE; at < end * PIECE; at += PIECE) {
        for (size_t i = 0; i < PIECE; i++)
            piece[i] = byte_at(at + i);
        if (storage_upload_append(upload, at, piece, PIECE, &err) != 0)
            fail_msg("%s", err.text);
    }
}

/*
 * Larger than what a backend may gather in memory, and continued after it was closed in the middle.
 */
static void a_large_upload_is_published_whole(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    struct storage_reader *reader;
    struct storage_object object;
    static char piece[PIECE];
    struct error err = {0};
    ssize_t n;

    (void)state;
    append_pieces(upload, 0, 15);
    storage_upload_close(upload);
    upload = open_upload("s/data", STORAGE_UPLOAD_RESUME);
    assert_int_equal(state_of(upload).size, 15 * PIECE);
    append_pieces(upload, 15, PIECES);
    assert_int_equal(storage_upload_read(upload, 3, piece, 1), 1);
    assert_int_equal(piece[0], byte_at(3));
    if (publish(upload, "x/large") != 0)
        fail_msg("the upload was not published");
    storage_upload_close(upload);
    assert_int_equal(storage_open(storage, "x/large", STORAGE_MAY_WAIT, &reader, &object, &err), 0);
    assert_int_equal(object.size, PIECES * PIECE);
    for (size_t at = 0; at < object.size; at += (size_t)n) {
        n = storage_reader_read(reader, at, piece, sizeof(piece));
        assert_true(n > 0);
        for (size_t i = 0; i < (size_t)n; i++)
            if (piece[i] != byte_at(at + i))
                fail_msg("byte %zu", at + i);
    }
    storage_reader_close(reader);
    assert_string_equal(names_below("s/", NULL, SIZE_MAX), "");
}

static void publishing_replaces_nothing(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);

    (void)state;
    put("x/data", "good");
    assert_int_equal(append(upload, 0, "evil"), 0);
    assert_int_equal(publish(upload, "x/data"), STORAGE_CONFLICT);
    assert_string_equal(text_at("x/data"), "good");
    assert_int_equal(append(upload, 4, "!"), 0); /* the upload is unchanged */
    assert_int_equal(publish(upload, "y/data"), 0);
    assert_string_equal(text_at("y/data"), "evil!");
    storage_upload_close(upload);
}

static void an_upload_has_one_writer(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    struct storage_upload_state first, second;

    (void)state;
    assert_int_equal(append(upload, 0, "one"), 0);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_NEW, 0), STORAGE_CONFLICT);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_RESUME, 0), STORAGE_WOULD_WAIT);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_RESUME, 5), STORAGE_WOULD_WAIT);
    first = state_of(upload);
    storage_upload_close(upload);
    upload = open_upload("s/data", STORAGE_UPLOAD_RESUME);
    second = state_of(upload);
    assert_int_equal(second.size, 3);
    assert_true(storage_version_is_same(&first.version, &second.version));
    assert_int_equal(append(upload, 3, "two"), 0);
    second = state_of(upload);
    assert_false(storage_version_is_same(&first.version, &second.version));
    storage_upload_close(upload);
}

static void *close_soon(void *upload)
{
    usleep(20000);
    storage_upload_close(upload);
    return NULL;
}

static void a_patient_caller_waits_for_the_writer(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, close_soon, upload), 0);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_RESUME, 60000), 0);
    pthread_join(thread, NULL);
}

/* A caller that waited for the writer does not get the published object. */
static void *publish_soon(void *upload)
{
    struct storage_step step = {.kind = STORAGE_PUBLISH, .key = "x/data", .upload = upload};
    struct error err = {0};
    int r;

    usleep(20000);
    r = storage_write(storage, &step, 1, &err);
    storage_upload_close(upload);
    return r == 0 ? upload : NULL;
}

static void a_published_upload_is_not_opened(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(append(upload, 0, "good"), 0);
    assert_int_equal(pthread_create(&thread, NULL, publish_soon, upload), 0);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_RESUME, 60000), STORAGE_NOT_FOUND);
    pthread_join(thread, &result);
    assert_non_null(result);
    assert_string_equal(text_at("x/data"), "good");
}

static void a_lost_claim_is_noticed(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    struct error err = {0};

    (void)state;
    assert_int_equal(append(upload, 0, "one"), 0);
    assert_int_equal(storage_upload_keep(upload, &err), 0);
    backend->lose_claims(storage, "s/data");
    assert_int_equal(append(upload, 3, "two"), STORAGE_CLAIM_LOST);
    assert_int_equal(publish(upload, "x/data"), STORAGE_CLAIM_LOST);
    assert_string_equal(text_at("x/data"), "none");
    storage_upload_close(upload);
}

static void a_discarded_upload_is_gone(void **state)
{
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    struct error err = {0};

    (void)state;
    assert_int_equal(storage_upload_discard(upload, &err), 0);
    assert_int_equal(storage_upload_discard(upload, &err), 0);
    assert_int_equal(append(upload, 0, "one"), STORAGE_CLAIM_LOST);
    storage_upload_close(upload);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_RESUME, 0), STORAGE_NOT_FOUND);
}

/* --- claims ------------------------------------------------------------------------------ */

static int claim(const char *prefix, enum storage_claim_mode mode, unsigned patience_ms,
                 struct storage_claim **ret)
{
    struct error err = {0};
    int r = storage_claim(storage, prefix, mode, patience_ms, ret, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static void a_claim_on_a_prefix_is_shared_or_exclusive(void **state)
{
    struct storage_claim *one, *two, *three;
    struct error err = {0};

    (void)state;
    assert_int_equal(claim("r/a/", STORAGE_SHARED, 0, &one), 0);
    assert_int_equal(claim("r/a/", STORAGE_SHARED, 0, &two), 0);
    assert_int_equal(claim("r/a/", STORAGE_EXCLUSIVE, 5, &three), STORAGE_WOULD_WAIT);
    assert_int_equal(storage_claim_check(one, &err), 0);
    storage_claim_release(one);
    assert_int_equal(claim("r/a/", STORAGE_EXCLUSIVE, 0, &three), STORAGE_WOULD_WAIT);
    storage_claim_release(two);
    assert_int_equal(claim("r/a/", STORAGE_EXCLUSIVE, 0, &three), 0);
    assert_int_equal(claim("r/a/", STORAGE_SHARED, 0, &one), STORAGE_WOULD_WAIT);
    assert_int_equal(claim("r/other/", STORAGE_EXCLUSIVE, 0, &one), 0);
    storage_claim_release(one);
    storage_claim_release(three);
    storage_claim_release(NULL);
}

static bool is_alone;

static void *wait_to_be_alone(void *object)
{
    struct storage_claim *alone;
    struct error err = {0};

    (void)object;
    if (storage_claim(storage, "r/", STORAGE_EXCLUSIVE, 60000, &alone, &err) != 0)
        return NULL;
    __atomic_store_n(&is_alone, true, __ATOMIC_SEQ_CST);
    storage_claim_release(alone);
    return NULL;
}

/* Otherwise overlapping shared claims would starve an exclusive one. */
static void new_sharers_do_not_overtake(void **state)
{
    struct storage_claim *held, *next;
    pthread_t thread;

    (void)state;
    is_alone = false;
    assert_int_equal(claim("r/", STORAGE_SHARED, 0, &held), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_to_be_alone, NULL), 0);
    while (claim("r/", STORAGE_SHARED, 0, &next) == 0) { /* until the exclusive claim waits */
        storage_claim_release(held);
        held = next;
    }
    assert_false(__atomic_load_n(&is_alone, __ATOMIC_SEQ_CST));
    storage_claim_release(held);
    assert_int_equal(claim("r/", STORAGE_SHARED, 60000, &held), 0);
    pthread_join(thread, NULL);
    assert_true(is_alone);
    storage_claim_release(held);
}

/* A killed process has no claims. */
static void claims_end_with_their_process(void **state)
{
    struct storage_upload *upload;
    struct storage_claim *held;
    int pipes[2], status;
    char ready;
    pid_t child;

    (void)state;
    if (!backend->is_shared_by_processes)
        return;
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
        if (claim("r/", STORAGE_EXCLUSIVE, 0, &held) == 0 && append(upload, 0, "one") == 0 &&
            write(pipes[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    assert_int_equal(try_to_open("s/data", STORAGE_UPLOAD_RESUME, 0), STORAGE_WOULD_WAIT);
    assert_int_equal(claim("r/", STORAGE_SHARED, 0, &held), STORAGE_WOULD_WAIT);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(pipes[0]);
    close(pipes[1]);
    upload = open_upload("s/data", STORAGE_UPLOAD_RESUME);
    assert_int_equal(state_of(upload).size, 3);
    storage_upload_close(upload);
    assert_int_equal(claim("r/", STORAGE_EXCLUSIVE, 0, &held), 0);
    storage_claim_release(held);
}

/* --- garbage collection ------------------------------------------------------------------ */

/* Removes prefix unless a witness was used in the last 1,000 s; returns whether it was kept. */
static bool is_spared(const char *prefix, const char *witness, const char *other)
{
    const char *witnesses[] = {witness, other};
    struct storage_removal removal = {
        .keys = &prefix, .key_count = 1, .witnesses = witnesses, .witness_count = 2};
    struct error err = {0};

    if (storage_remove_unused(storage, &removal, 1, storage_now(storage) - 1000, &err) != 0)
        fail_msg("%s", err.text);
    return removal.is_spared;
}

static void unused_objects_are_removed_together(void **state)
{
    (void)state;
    put("a/one/link", "");
    put("a/one/more", "");
    put("a/two/link", "");
    assert_true(is_spared("a/one/", "a/one/link", "no/where"));
    backend->pass_time(storage, 2000);
    put("b/data", "");
    assert_true(is_spared("a/one/", "a/one/link", "b/data"));
    assert_true(is_spared("a/one/", "b/data", "a/one/link"));
    assert_false(is_spared("a/one/", "a/one/link", "no/where"));
    assert_string_equal(names_below("a/", NULL, SIZE_MAX), "two/ ");
    assert_false(is_spared("a/one/", "a/one/link", "no/where"));
}

static void objects_used_again_stay(void **state)
{
    struct storage_step keep = {.kind = STORAGE_KEEP, .key = "kept/data"};
    struct storage_upload *upload = open_upload("s/data", STORAGE_UPLOAD_NEW);
    struct storage_object object;
    struct error err = {0};
    bool is_used = true;
    int64_t idle_ns, kept_ns;

    (void)state;
    put("refreshed/data", "");
    put("kept/data", "");
    put("idle/data", "");
    backend->pass_time(storage, 2000);
    assert_int_equal(
        storage_used_since(storage, "idle/data", storage_now(storage) - 1000, &is_used, &err), 0);
    assert_false(is_used);
    assert_int_equal(storage_last_use(storage, "idle/data", &idle_ns, &err), 0);
    assert_true(idle_ns / 1000000000 < storage_now(storage) - 1000);
    assert_int_equal(storage_refresh(storage, "refreshed/data", STORAGE_MAY_WAIT, &object, &err),
                     0);
    assert_int_equal(storage_refresh(storage, "no/where", STORAGE_MAY_WAIT, &object, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(write_steps(&keep, 1), 0);
    assert_int_equal(publish(upload, "published/data"), 0);
    storage_upload_close(upload);
    assert_true(is_spared("refreshed/", "refreshed/data", "no/where"));
    assert_true(is_spared("kept/", "kept/data", "no/where"));
    assert_true(is_spared("published/", "published/data", "no/where"));
    assert_false(is_spared("idle/", "idle/data", "no/where"));
    assert_int_equal(
        storage_used_since(storage, "kept/data", storage_now(storage) - 1000, &is_used, &err), 0);
    assert_true(is_used);
    assert_int_equal(
        storage_used_since(storage, "kept/", storage_now(storage) - 1000, &is_used, &err), 0);
    assert_true(is_used);
    assert_int_equal(storage_used_since(storage, "no/where/", 0, &is_used, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(storage_used_since(storage, "no/where", 0, &is_used, &err), STORAGE_NOT_FOUND);
    assert_int_equal(storage_last_use(storage, "kept/data", &kept_ns, &err), 0);
    assert_true(kept_ns / 1000000000 >= storage_now(storage) - 1000);
    assert_int_equal(storage_last_use(storage, "no/where", &idle_ns, &err), STORAGE_NOT_FOUND);
    assert_int_equal(storage_clean_up(storage, 0, &err), 0);
}

/* Another process, which refreshes objects while they are removed. */
enum { TORN = 12 };

struct refresher {
    struct storage *storage;
    int results[TORN];
};

static void *refresh_all(void *object)
{
    struct refresher *refresher = object;

    for (int i = TORN - 1; i >= 0; i--) {
        struct storage_object found;
        struct error err = {0};
        char key[32];

        snprintf(key, sizeof(key), "torn/%d/data", i);
        do
            refresher->results[i] =
                storage_refresh(refresher->storage, key, STORAGE_MAY_WAIT, &found, &err);
        while (refresher->results[i] == STORAGE_WOULD_WAIT);
    }
    return NULL;
}

static void remove_all(void)
{
    static char keys[TORN][32], witnesses[TORN][32];
    const char *key_texts[TORN], *witness_texts[TORN];
    struct storage_removal removals[TORN];
    struct error err = {0};

    for (int i = 0; i < TORN; i++) {
        snprintf(keys[i], sizeof(keys[i]), "torn/%d/", i);
        snprintf(witnesses[i], sizeof(witnesses[i]), "torn/%d/data", i);
        key_texts[i] = keys[i];
        witness_texts[i] = witnesses[i];
        removals[i] = (struct storage_removal){.keys = &key_texts[i],
                                               .key_count = 1,
                                               .witnesses = &witness_texts[i],
                                               .witness_count = 1};
    }
    if (storage_remove_unused(storage, removals, TORN, storage_now(storage) - 1000, &err) != 0)
        fail_msg("%s", err.text);
}

static void what_was_refreshed_stays_beside_a_removal(void **state)
{
    struct refresher refresher = {.storage = storage};
    struct error err = {0};
    pthread_t thread;

    (void)state;
    if (backend->open_again)
        assert_int_equal(backend->open_again(&refresher.storage, &err), 0);
    for (int i = 0; i < TORN; i++) {
        char key[32];

        snprintf(key, sizeof(key), "torn/%d/data", i);
        put(key, "");
    }
    backend->pass_time(storage, 2000);
    if (refresher.storage != storage && backend->pass_time != pass_time_for_files)
        backend->pass_time(refresher.storage, 2000);
    assert_int_equal(pthread_create(&thread, NULL, refresh_all, &refresher), 0);
    remove_all();
    pthread_join(thread, NULL);
    for (int i = 0; i < TORN; i++) {
        char key[32];

        snprintf(key, sizeof(key), "torn/%d/data", i);
        if (refresher.results[i] == 0)
            assert_string_equal(text_at(key), "");
        else
            assert_int_equal(refresher.results[i], STORAGE_NOT_FOUND);
    }
    if (refresher.storage != storage)
        storage_close(refresher.storage);
}

/* --- all of them, for each backend ------------------------------------------------------- */

static const struct {
    const char *name;
    CMUnitTestFunction function;
} cases[] = {
#define CASE(function) {#function, function}
    CASE(objects_are_put_and_replaced),
    CASE(a_reader_keeps_its_bytes),
    CASE(conditions_hold_or_conflict),
    CASE(a_version_changes_with_each_write_only),
    CASE(a_step_that_fails_stops_those_after_it),
    CASE(lists_come_in_pages_by_name),
    CASE(names_are_sorted_on_every_page),
    CASE(keys_of_any_depth_are_listed),
    CASE(objects_and_prefixes_are_removed),
    CASE(an_unchanged_object_is_removed),
    CASE(a_note_is_an_object),
    CASE(an_upload_grows_at_its_end_and_is_published),
    CASE(a_large_upload_is_published_whole),
    CASE(publishing_replaces_nothing),
    CASE(an_upload_has_one_writer),
    CASE(a_patient_caller_waits_for_the_writer),
    CASE(a_published_upload_is_not_opened),
    CASE(a_lost_claim_is_noticed),
    CASE(a_discarded_upload_is_gone),
    CASE(a_claim_on_a_prefix_is_shared_or_exclusive),
    CASE(new_sharers_do_not_overtake),
    CASE(claims_end_with_their_process),
    CASE(unused_objects_are_removed_together),
    CASE(objects_used_again_stay),
    CASE(what_was_refreshed_stays_beside_a_removal),
};

static int set_up(void **state)
{
    struct error err = {0};

    if (scratch_set_up(state) < 0)
        return -1;
    if (backend->open(&storage, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return -1;
}

static int tear_down(void **state)
{
    storage_close(storage);
    return scratch_tear_down(state);
}

static int run_cases(const struct backend *tested)
{
    struct CMUnitTest tests[ARRAY_SIZE(cases)];

    backend = tested;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        tests[i] = (struct CMUnitTest){cases[i].name, cases[i].function, set_up, tear_down, NULL};
    return _cmocka_run_group_tests(tested->name, tests, ARRAY_SIZE(cases), NULL, NULL);
}

/* As when the holder was stopped for longer than its lease, and another server went on and left. */
static void lose_in_bucket(struct storage *bucket, const char *key)
{
    struct storage *other;
    struct storage_upload *upload;
    struct error err = {0};

    (void)bucket;
    assert_int_equal(bucket_fixture_open_again(&other, &err), 0);
    s3_pass_time(other, 1000);
    assert_int_equal(storage_upload_open(other, key, STORAGE_UPLOAD_RESUME, 0, &upload, &err), 0);
    assert_int_equal(storage_upload_append(upload, 3, "else", 4, &err), 0);
    storage_upload_close(upload);
    storage_close(other);
}

static void make_bucket_older(struct storage *bucket, int64_t seconds)
{
    int64_t until_s;

    s3_make_older(bucket, seconds);
    until_s = storage_now(bucket) + 2; /* this clock may be a second ahead of the store's */
    while (storage_now(bucket) <= until_s)
        usleep(10000);
}

static int run_in_bucket(void)
{
    static const struct backend bucket = {.name = "bucket",
                                          .open = bucket_fixture_open,
                                          .open_again = bucket_fixture_open_again,
                                          .lose_claims = lose_in_bucket,
                                          .pass_time = make_bucket_older,
                                          .has_own_keys = true,
                                          .names_bytes = true};
    int failed = run_cases(&bucket);

    bucket_fixture_end();
    return failed;
}

/* A bucket in this process, which is no proof for a real store. */
static int run_in_small_bucket(void)
{
    struct small_store *store = small_store_new();
    int failed;

    setenv("S3_ENDPOINT", small_store_get_endpoint(store), 1);
    setenv("S3_BUCKET", "bucket", 1);
    setenv("S3_ACCESS_KEY", "AK", 1);
    setenv("S3_SECRET_KEY", "secret", 1);
    failed = run_in_bucket();
    small_store_free(store);
    return failed;
}

/* With "bucket" the backend for object stores, which needs one; "small-bucket" brings one. */
int main(int argc, char *argv[])
{
    int failed = 0;

    if (argc == 2 && strcmp(argv[1], "bucket") == 0)
        return run_in_bucket();
    if (argc == 2 && strcmp(argv[1], "small-bucket") == 0)
        return run_in_small_bucket();
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
        failed += run_cases(&backends[i]);
    return failed;
}
