/*
 * json-edit: an edited text is still JSON and has the new value, and every other member is unchanged.
 */
#include <string.h>

#include "common/json-edit.h"
#include "common/json.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static struct json *parse(const struct secbuf *text)
{
    struct json *json = NULL;

    REQUIRE(json_parse(text->data, text->size, &json) == 0);
    return json;
}

static void require_same(const struct json *a, const struct json *b)
{
    CLEANUP(secbuf_done) struct secbuf left = {0}, right = {0};
    size_t size = json_format(a, NULL);

    REQUIRE(size == json_format(b, NULL));
    REQUIRE(secbuf_reserve(&left, size) == 0 && secbuf_reserve(&right, size) == 0);
    json_format(a, (char *)left.data);
    json_format(b, (char *)right.data);
    REQUIRE(memcmp(left.data, right.data, size) == 0);
}

/* All members except those of that name, in their order. */
static void require_others_are_same(const struct json *before, const struct json *after, const char *name)
{
    const struct json *b = json_get_first(before), *a = json_get_first(after);

    for (;; b = json_get_next(b), a = json_get_next(a)) {
        while (b && strcmp(json_get_name(b), name) == 0)
            b = json_get_next(b);
        while (a && strcmp(json_get_name(a), name) == 0)
            a = json_get_next(a);
        if (!a || !b)
            break;
        REQUIRE(strcmp(json_get_name(a), json_get_name(b)) == 0);
        require_same(a, b);
    }
    REQUIRE(!a && !b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const path[] = {"a", NULL}, *const deep[] = {"a", "b", NULL};
    CLEANUP(secbuf_done) struct secbuf text = {0}, edited = {0};
    CLEANUP(json_freep) struct json *before = NULL, *after = NULL, *without = NULL;
    int r;

    REQUIRE(secbuf_append(&text, data, size) == 0 && secbuf_append(&edited, data, size) == 0);
    fuzz_was_accepted = json_edit_set(&edited, path, "\"value\"") == 0;
    if (!fuzz_was_accepted) {
        REQUIRE(secbuf_is_equal(&text, &edited));
        REQUIRE(json_edit_remove(&edited, path) < 0 && json_edit_set(&edited, deep, "1") < 0);
        return 0;
    }
    after = parse(&edited);
    REQUIRE(strcmp(json_get_text(json_find(after, "a")), "value") == 0);
    if (json_parse(text.data, text.size, &before) == 0)
        require_others_are_same(before, after, "a");
    REQUIRE(json_edit_set(&edited, deep, "1") < 0);
    REQUIRE(json_edit_remove(&edited, path) == 0);
    without = parse(&edited);
    REQUIRE(!json_find(without, "a"));
    require_others_are_same(after, without, "a");
    r = json_edit_set(&text, deep, "{\"c\":[]}");
    REQUIRE(r == 0 || json_get_type(json_find(before, "a")) != JSON_OBJECT);
    return 0;
}
