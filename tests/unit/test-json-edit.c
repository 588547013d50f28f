#include "common/json-edit.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

struct edit {
    const char *before;
    const char *path[3]; /* ended by NULL */
    const char *value; /* NULL: remove */
    const char *after;
};

static const struct edit edits[] = {
    /* in an empty file: formatted as docker does */
    {"", {"a"}, "1", "{\n\t\"a\": 1\n}\n"},
    {" \n", {"a"}, "1", " \n{\n\t\"a\": 1\n}\n"},
    {"{}", {"a"}, "1", "{\n\t\"a\": 1\n}"},
    {"{ \n }\n", {"a"}, "1", "{\n\t\"a\": 1\n}\n"},
    {"{}", {"a", "b"}, "\"c\"", "{\n\t\"a\": {\n\t\t\"b\": \"c\"\n\t}\n}"},
    /* next to other members: formatted like them */
    {"{\"x\":2}", {"a"}, "1", "{\"x\":2,\"a\":1}"},
    {"{ \"x\" : 2 }", {"a"}, "1", "{ \"x\" : 2, \"a\" : 1 }"},
    {"{\n  \"x\": 2\n}\n", {"a"}, "1", "{\n  \"x\": 2,\n  \"a\": 1\n}\n"},
    {"{\n\t\"x\": [1,\n2]}", {"a"}, "1", "{\n\t\"x\": [1,\n2],\n\t\"a\": 1}"},
    {"{\r\n  \"x\": 2\r\n}", {"a"}, "1", "{\r\n  \"x\": 2,\r\n  \"a\": 1\r\n}"},
    {"{\"x\":2}", {"a", "b"}, "1", "{\"x\":2,\"a\":{\"b\":1}}"},
    {"{\n  \"x\": 2\n}", {"a", "b"}, "1", "{\n  \"x\": 2,\n  \"a\": {\n    \"b\": 1\n  }\n}"},
    {"{\n  \"a\": {}\n}", {"a", "b"}, "1", "{\n  \"a\": {\n    \"b\": 1\n  }\n}"},
    {"{\n  \"a\": {\n    \"x\": 2\n  }\n}", {"a", "b"}, "1", "{\n  \"a\": {\n    \"x\": 2,\n    \"b\": 1\n  }\n}"},
    {"{\"a\":{}}", {"a", "b"}, "1", "{\"a\":{\"b\":1}}"},
    /* replacing another value */
    {"{\"a\":2,\"x\":3}", {"a"}, "1", "{\"a\":1,\"x\":3}"},
    {"{\"a\" : {\"deep\":[{}]} , \"x\":3}", {"a"}, "1", "{\"a\" : 1 , \"x\":3}"},
    {"{\"a\":2,\"a\":3}", {"a"}, "1", "{\"a\":2,\"a\":1}"},
    {"{\"\\u0061\":2}", {"a"}, "1", "{\"\\u0061\":1}"},
    {"{\"a\x9B\":2}", {"a\xEF\xBF\xBD"}, "1", "{\"a\x9B\":1}"},
    {"{\"\xC3\xA9\":2}", {"\xC3\xA9"}, "1", "{\"\xC3\xA9\":1}"},
    {"{\"x\":\"\\\"a\\\":2}\",\"a\":2}", {"a"}, "1", "{\"x\":\"\\\"a\\\":2}\",\"a\":1}"},
    {"{\"A\":2}", {"a"}, "1", "{\"A\":2,\"a\":1}"},
    {"{\"a\":-1.5e3}", {"a"}, "true", "{\"a\":true}"},
    {"{\"a\":1}", {"ho\"st"}, "1", "{\"a\":1,\"ho\\\"st\":1}"},
    /* removing */
    {"{\"a\":1}", {"a"}, NULL, "{}"},
    {"{\n\t\"a\": 1\n}\n", {"a"}, NULL, "{}\n"},
    {"{\"a\":1,\"x\":2}", {"a"}, NULL, "{\"x\":2}"},
    {"{\n  \"a\": 1,\n  \"x\": 2\n}", {"a"}, NULL, "{\n  \"x\": 2\n}"},
    {"{\n  \"x\": 2,\n  \"a\": 1\n}", {"a"}, NULL, "{\n  \"x\": 2\n}"},
    {"{\"x\":2 , \"a\":1 , \"y\":3}", {"a"}, NULL, "{\"x\":2 , \"y\":3}"},
    {"{\"a\":1,\"x\":2,\"a\":3}", {"a"}, NULL, "{\"x\":2}"},
    {"{\"x\":{\"a\":1},\"a\":2}", {"x", "a"}, NULL, "{\"x\":{},\"a\":2}"},
    {"{\"x\":2}", {"a"}, NULL, "{\"x\":2}"},
    {"{\"x\":2}", {"y", "a"}, NULL, "{\"x\":2}"},
    {"", {"a"}, NULL, ""},
};

static int edit(struct secbuf *text, const struct edit *wanted)
{
    return wanted->value ? json_edit_set(text, wanted->path, wanted->value) : json_edit_remove(text, wanted->path);
}

static void fill_with(struct secbuf *text, const char *bytes)
{
    assert_int_equal(secbuf_append(text, bytes, strlen(bytes)), 0);
}

static void every_other_byte_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
        CLEANUP(secbuf_done) struct secbuf text = {0};

        fill_with(&text, edits[i].before);
        assert_case(edits[i].before, edit(&text, &edits[i]) == 0);
        if (text.size != strlen(edits[i].after) || memcmp(text.data, edits[i].after, text.size) != 0)
            fail_msg("%s -> %.*s", edits[i].before, (int)text.size, (const char *)text.data);
    }
}

static void only_objects_are_edited(void **state)
{
    static const struct { struct edit edit; int expected; } cases[] = {
        {{"[]", {"a"}, "1", NULL}, -EBADMSG},
        {{"null", {"a"}, NULL, NULL}, -EBADMSG},
        {{"{", {"a"}, "1", NULL}, -EBADMSG},
        {{"{} {}", {"a"}, "1", NULL}, -EBADMSG},
        {{"{\"a\":1,}", {"a"}, NULL, NULL}, -EBADMSG},
        {{"\xEF\xBB\xBF{}", {"a"}, "1", NULL}, -EBADMSG},
        {{"{\"a\":1}", {"a", "b"}, "1", NULL}, -ENOTDIR},
        {{"{\"a\":[]}", {"a", "b"}, NULL, NULL}, -ENOTDIR},
        {{"{\"a\":{},\"a\":2}", {"a", "b"}, "1", NULL}, -ENOTDIR},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(secbuf_done) struct secbuf text = {0};

        fill_with(&text, cases[i].edit.before);
        assert_case(cases[i].edit.before, edit(&text, &cases[i].edit) == cases[i].expected);
        assert_case(cases[i].edit.before, text.size == strlen(cases[i].edit.before) &&
                                              memcmp(text.data, cases[i].edit.before, text.size) == 0);
    }
}

static void a_new_member_can_be_removed_again(void **state)
{
    static const char *const texts[] = {
        "{\"x\":2}", "{ \"x\" : 2 }", "{\n  \"x\": 2\n}\n", "{\n\t\"x\": {},\n\n\t\"y\": [1]\n\n}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(secbuf_done) struct secbuf text = {0};

        fill_with(&text, texts[i]);
        assert_int_equal(json_edit_set(&text, PATH("a", "b"), "{\"c\":[]}"), 0);
        assert_int_equal(json_edit_remove(&text, PATH("a")), 0);
        assert_case(texts[i], text.size == strlen(texts[i]) && memcmp(text.data, texts[i], text.size) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_other_byte_stays),
        cmocka_unit_test(only_objects_are_edited),
        cmocka_unit_test(a_new_member_can_be_removed_again),
    };

    return cmocka_run_group_tests_name("json-edit", tests, NULL, NULL);
}
