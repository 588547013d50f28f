/* Documents in ordinary memory, which the registry parses on several threads at once. */
#include "common/json.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static int parse_public(const char *text, struct json **ret)
{
    size_t size = strlen(text);
    CLEANUP_FREE char *copy = copy_exactly(text, size);

    return json_parse_public(copy, size, ret);
}

static void a_public_document_is_one_value(void **state)
{
    static const char *const good[] = {
        "{}", " [ ] ", "\n1\t", "\"a\"", "\"\\\"]\"", "true ", "{\"a\":[1,2,{\"b\":\"}]\"}],\"c\":null}", "-1.5e3",
    };
    static const char *const bad[] = {
        "", " ", "{}{}", "{} x", "{},", "[]]", "1 2", "1,", "1]", "\"a\"\"b\"", "\"a\" 1", "nullnull", "1-2", "truex", "0x", "null null", "{",
        "[", "\"a", "\"a\\", "]", "}", "[}", ",", "{}\x01", "[1]2", "1[", "{}\"", "\xFF",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        CLEANUP(json_freep) struct json *document = NULL;

        assert_case(good[i], parse_public(good[i], &document) == 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct json *document = NULL;

        assert_case(bad[i], parse_public(bad[i], &document) == -EBADMSG);
        assert_null(document);
    }
    assert_int_equal(json_parse_public(NULL, 0, &(struct json *){NULL}), -EBADMSG);
    assert_int_equal(json_parse_public("{}\0", 3, &(struct json *){NULL}), -EBADMSG);
}

static void public_nesting_ends_at_its_limit(void **state)
{
    char text[2 * 20002];
    struct json *document = NULL;

    (void)state;
    for (size_t depth = JSON_DEEPEST_PUBLIC; depth < 20001; depth = depth < 510 ? depth + 1 : depth * 2) {
        fill(text, '[', depth);
        fill(text + depth, ']', depth);
        assert_int_equal(parse_public(text, &document), depth <= JSON_DEEPEST_PUBLIC ? 0 : -EBADMSG);
        if (depth == JSON_DEEPEST_PUBLIC)
            json_free(document);
    }
}

static void the_number_of_names_and_values_is_limited(void **state)
{
    static char text[2 * (JSON_MOST_PUBLIC + 8)];
    struct json *document = NULL;
    size_t size;

    (void)state;
    for (size_t count = JSON_MOST_PUBLIC - 3; count < JSON_MOST_PUBLIC + 3; count++) {
        /* the array is one, too */
        fill(text, ',', 2 * count);
        for (size_t i = 0; i < count; i++)
            text[2 * i + 1] = '1';
        text[0] = '[';
        size = 2 * count;
        text[size] = ']';
        text[size + 1] = '\0';
        assert_int_equal(json_parse_public(text, size + 1, &document), count < JSON_MOST_PUBLIC ? 0 : -E2BIG);
        if (count < JSON_MOST_PUBLIC)
            json_free(document);
    }
}

/* The guard replaces each byte by at most three bytes. */
static void invalid_utf8_fits(void **state)
{
    char text[5000];
    struct json *document;

    (void)state;
    fill(text, '\xFF', sizeof(text) - 1);
    text[0] = text[sizeof(text) - 2] = '"';
    assert_int_equal(parse_public(text, &document), 0);
    assert_int_equal(strlen(json_get_text(document)), (sizeof(text) - 3) * 3);
    json_free(document);
}

static void *parse_in_thread(void *argument)
{
    static const char text[] = "{\"a\":[1,\"two\",{\"three\":null}],\"b\":\"x\"}";
    int *wrong = argument;

    for (int i = 0; i < 300; i++) {
        struct json *document = NULL;

        *wrong += json_parse_public(text, sizeof(text) - 1, &document) != 0 ||
                  strcmp(json_get_text(json_find(document, "b")), "x") != 0;
        json_free(document);
    }
    return NULL;
}

static void threads_can_parse_concurrently(void **state)
{
    pthread_t threads[8];
    int wrong[8] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, parse_in_thread, &wrong[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_can_parse_concurrently), /* first, so that the threads initialise cJSON */
        cmocka_unit_test(a_public_document_is_one_value),
        cmocka_unit_test(public_nesting_ends_at_its_limit),
        cmocka_unit_test(the_number_of_names_and_values_is_limited),
        cmocka_unit_test(invalid_utf8_fits),
    };

    return cmocka_run_group_tests_name("json-public", tests, NULL, NULL);
}
