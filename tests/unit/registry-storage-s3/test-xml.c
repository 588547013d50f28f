#include "registry/storage/s3/xml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

/* What was read: "path=text;" for each element. */
struct record {
    char text[8192];
    size_t used;
};

static int note_element(void *object, const char *path, const char *text)
{
    struct record *record = object;

    record->used += (size_t)snprintf(record->text + record->used,
                                     sizeof(record->text) - record->used, "%s=%s;", path, text);
    assert_true(record->used < sizeof(record->text));
    return strcmp(text, "stop") == 0 ? -ECANCELED : 0;
}

static int parse(const char *text, struct record *record, struct error *err)
{
    char *exact = copy_exactly(text, strlen(text));
    int r;

    *record = (struct record){0};
    r = xml_parse(exact, strlen(text), note_element, record, err);
    free(exact);
    return r;
}

static void elements_come_with_their_path(void **state)
{
    struct record record;
    struct error err = {0};

    (void)state;
    assert_int_equal(
        parse(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<List xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
            "  <Name>b</Name>\n  <Contents><Key>a &amp; b&#x2F;\xC3\xA9</Key><Size>1</Size></Contents>\n"
            "  <Empty/>\n</List>\n",
            &record, &err),
        0);
    assert_string_equal(record.text,
                        "List/Name=b;List/Contents/Key=a & b/\xC3\xA9;List/Contents/Size=1;"
                        "List/Contents=;List/Empty=;List=\n;");
}

static void a_handler_can_end_it(void **state)
{
    struct record record;
    struct error err = {0};

    (void)state;
    assert_int_equal(parse("<a><b>stop</b><c>x</c></a>", &record, &err), -ECANCELED);
    assert_string_equal(record.text, "a/b=stop;");
}

static const char *const invalid[] = {
    "",
    "text",
    "<a>",
    "<a></b>",
    "<a></a><b></b>",
    "<a>\x01</a>",
    "<a>\xFF</a>",
    "<a>&unknown;</a>",
    "<!DOCTYPE a><a/>",
    "<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
    "<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>",
};

static void what_is_invalid_is_refused(void **state)
{
    struct record record;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
        struct error err = {0};

        assert_case(invalid[i], parse(invalid[i], &record, &err) == -EBADMSG);
        assert_says(&err, "invalid XML: ");
    }
}

static void a_text_has_a_limit(void **state)
{
    char text[XML_TEXT_MAX + 16];
    struct record record;
    struct error err = {0};

    (void)state;
    snprintf(text, sizeof(text), "<a>%*s</a>", XML_TEXT_MAX, "x");
    assert_int_equal(parse(text, &record, &err), 0);
    snprintf(text, sizeof(text), "<a>%*s</a>", XML_TEXT_MAX + 1, "x");
    assert_int_equal(parse(text, &record, &err), -EBADMSG);
    assert_says(&err, "too long");
}

/* libexpat reports the end of an empty element even if its start has ended the reading. */
static void an_empty_element_that_is_too_deep_or_too_long_ends_the_reading(void **state)
{
    static const char levels[] = "<a><a><a><a><a><a><a><a>";
    char name[1024], text[1280];
    struct record record;
    struct error err = {0};

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "%s<%s/>", i == 0 ? levels : "", name);
        assert_int_equal(parse(text, &record, &err), -EBADMSG);
        assert_says(&err, "too many levels");
        assert_string_equal(record.text, "");
    }
}

static int set_up(void **state)
{
    struct error err = {0};

    (void)state;
    return xml_load(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_with_their_path),
        cmocka_unit_test(a_handler_can_end_it),
        cmocka_unit_test(what_is_invalid_is_refused),
        cmocka_unit_test(a_text_has_a_limit),
        cmocka_unit_test(an_empty_element_that_is_too_deep_or_too_long_ends_the_reading),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
